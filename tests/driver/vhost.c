// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vhost-net with rings, buffers and the log of dirty pages in an instance, as a guest has
 * them: frames go out of it and come into it, and what is taken from the instance in the
 * middle of it vhost neither writes to nor trips over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dax.h"

#define INTERFACE "dax-vhost"
/* For experiments on one's own network (IEEE 802, local experimental ethertype 1). */
#define ETHERTYPE 0x88b5
#define FRAME 128u
/* struct virtio_net_hdr without what VIRTIO_F_VERSION_1 adds. */
#define HEADER 10u
#define ENTRIES 16u
#define PAGE 4096u

/* Where things are in the instance, whose second extent begins at HALF. */
#define HALF (4 * MIB)
#define SIZE (8 * MIB)
#define SENDER 0
#define LOG (1 * MIB)
#define RECEIVER (2 * MIB)
#define SENT (HALF - 64) /* lies in both extents */
#define RECEIVED (6 * MIB)
#define ROOM 2048u /* of a buffer for what is received */

enum {
	QUEUE_RECEIVE,
	QUEUE_SEND,
	QUEUES
};

struct queue {
	struct vring_desc *descriptors;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick;
	int call;
	int error;
	unsigned short seen; /* of what is used */
};

static struct queue queues[QUEUES];
static int vhost = -1, tap = -1, wire = -1;
static char *memory;

static void control(int fd, unsigned long request, void *argument, const char *what)
{
	if (ioctl(fd, request, argument) < 0)
		die("vhost: %s: %s", what, strerror(errno));
}

/* ---- the network that the guest is on ---- */

static void make_interface(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETHERTYPE)};
	int offset = HEADER;

	snprintf(request.ifr_name, sizeof(request.ifr_name), INTERFACE);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0)
		die("vhost: /dev/net/tun: %s", strerror(errno));
	control(tap, TUNSETIFF, &request, "TUNSETIFF");
	control(tap, TUNSETVNETHDRSZ, &offset, "TUNSETVNETHDRSZ");
	/* Nobody but this test says anything on it. */
	put("/proc/sys/net/ipv6/conf/" INTERFACE "/disable_ipv6", "1", 1);
	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE));
	if (wire < 0)
		die("vhost: AF_PACKET: %s", strerror(errno));
	request.ifr_flags = IFF_UP;
	control(wire, SIOCSIFFLAGS, &request, "SIOCSIFFLAGS");
	address.sll_ifindex = (int)if_nametoindex(INTERFACE);
	if (bind(wire, (struct sockaddr *)&address, sizeof(address)))
		die("vhost: bind to %s: %s", INTERFACE, strerror(errno));
}

static void write_frame(unsigned char *frame, unsigned char content)
{
	struct ether_header header = {.ether_dhost = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
				      .ether_shost = {0x02, 0, 0, 0, 0, content},
				      .ether_type = htons(ETHERTYPE)};

	memset(frame, content, FRAME);
	memcpy(frame, &header, sizeof(header));
}

static bool is_readable(int fd, int milliseconds)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, milliseconds) == 1;
}

/* ---- the guest's side of a queue ---- */

static void lay_out(struct queue *queue, uint64_t at)
{
	queue->descriptors = (struct vring_desc *)(memory + at);
	queue->avail = (struct vring_avail *)(memory + at + PAGE);
	queue->used = (struct vring_used *)(memory + at + 2 * PAGE);
}

static void offer(struct queue *queue, unsigned short entry, uint64_t at,
		  unsigned int length, unsigned short flags)
{
	struct vring_avail *avail = queue->avail;

	queue->descriptors[entry] =
		(struct vring_desc){.addr = at, .len = length, .flags = flags};
	avail->ring[avail->idx % ENTRIES] = entry;
	atomic_thread_fence(memory_order_release);
	avail->idx++;
}

static void kick(const struct queue *queue)
{
	if (eventfd_write(queue->kick, 1))
		die("vhost: kick: %s", strerror(errno));
}

/* Waits until vhost has used a buffer that it had not when this was asked last. */
static bool has_used(struct queue *queue)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (*(volatile unsigned short *)&queue->used->idx != queue->seen) {
			queue->seen++;
			return true;
		}
		usleep(10000);
	}
	return false;
}

/* ---- vhost's ---- */

static void give_queue(unsigned int index, uint64_t at)
{
	struct queue *queue = &queues[index];
	struct vhost_vring_state number = {.index = index, .num = ENTRIES};
	struct vhost_vring_state base = {.index = index};
	struct vhost_vring_addr address = {.index = index,
					   .flags = 1 << VHOST_VRING_F_LOG};
	struct vhost_vring_file file = {.index = index};

	lay_out(queue, at);
	queue->seen = 0;
	address.desc_user_addr = (uintptr_t)queue->descriptors;
	address.avail_user_addr = (uintptr_t)queue->avail;
	address.used_user_addr = (uintptr_t)queue->used;
	address.log_guest_addr = at + 2 * PAGE;
	control(vhost, VHOST_SET_VRING_NUM, &number, "VHOST_SET_VRING_NUM");
	control(vhost, VHOST_SET_VRING_BASE, &base, "VHOST_SET_VRING_BASE");
	control(vhost, VHOST_SET_VRING_ADDR, &address, "VHOST_SET_VRING_ADDR");
	file.fd = queue->kick = eventfd(0, EFD_CLOEXEC);
	control(vhost, VHOST_SET_VRING_KICK, &file, "VHOST_SET_VRING_KICK");
	file.fd = queue->call = eventfd(0, EFD_CLOEXEC);
	control(vhost, VHOST_SET_VRING_CALL, &file, "VHOST_SET_VRING_CALL");
	file.fd = queue->error = eventfd(0, EFD_CLOEXEC);
	control(vhost, VHOST_SET_VRING_ERR, &file, "VHOST_SET_VRING_ERR");
	file.fd = tap;
	control(vhost, VHOST_NET_SET_BACKEND, &file, "VHOST_NET_SET_BACKEND");
}

static void start(void)
{
	uint64_t features = UINT64_C(1) << VHOST_F_LOG_ALL;
	uint64_t log = (uintptr_t)memory + LOG;
	struct {
		struct vhost_memory table;
		struct vhost_memory_region all;
	} guest = {
		.table.nregions = 1,
		.all = {.memory_size = SIZE, .userspace_addr = (uintptr_t)memory},
	};

	vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (vhost < 0)
		die("vhost: /dev/vhost-net: %s", strerror(errno));
	control(vhost, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	control(vhost, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
	control(vhost, VHOST_SET_MEM_TABLE, &guest, "VHOST_SET_MEM_TABLE");
	control(vhost, VHOST_SET_LOG_BASE, &log, "VHOST_SET_LOG_BASE");
	give_queue(QUEUE_SEND, SENDER);
	give_queue(QUEUE_RECEIVE, RECEIVER);
}

static void stop(void)
{
	close(vhost);
	for (unsigned int i = 0; i < QUEUES; i++) {
		close(queues[i].kick);
		close(queues[i].call);
		close(queues[i].error);
	}
	close(wire);
	close(tap);
}

/* ---- what is checked ---- */

static bool is_logged(uint64_t at)
{
	uint64_t page = at / VHOST_PAGE_SIZE;

	return memory[LOG + page / 8] & (1 << (page % 8));
}

static bool goes_out(uint64_t at, unsigned char content)
{
	unsigned char expected[FRAME], got[ROOM];

	write_frame(expected, content);
	memset(memory + at, 0, HEADER);
	memcpy(memory + at + HEADER, expected, FRAME);
	offer(&queues[QUEUE_SEND], 0, at, HEADER + FRAME, 0);
	kick(&queues[QUEUE_SEND]);
	return has_used(&queues[QUEUE_SEND]) && is_readable(wire, 10000) &&
	       recv(wire, got, sizeof(got), 0) == FRAME &&
	       memcmp(got, expected, FRAME) == 0;
}

static void sends(unsigned char content)
{
	unsigned char frame[FRAME];

	write_frame(frame, content);
	if (send(wire, frame, FRAME, 0) != FRAME)
		die("vhost: send: %s", strerror(errno));
}

static bool comes_in(uint64_t at, unsigned char content)
{
	unsigned char expected[FRAME];

	write_frame(expected, content);
	offer(&queues[QUEUE_RECEIVE], 0, at, ROOM, VRING_DESC_F_WRITE);
	kick(&queues[QUEUE_RECEIVE]);
	sends(content);
	return has_used(&queues[QUEUE_RECEIVE]) &&
	       memcmp(memory + at + HEADER, expected, FRAME) == 0;
}

/* The buffer for what is received next is gone, and there again. */
static void buffer_is_taken(const char *name, const char *of)
{
	offer(&queues[QUEUE_RECEIVE], 1, RECEIVED, ROOM, VRING_DESC_F_WRITE);
	kick(&queues[QUEUE_RECEIVE]);
	ok_errno(0, resize(name, HALF), "vhost, %s: shrink below a buffer", of);
	sends(0x33);
	ok(goes_out(PAGE * 8, 0x44) && goes_out(PAGE * 8, 0x45),
	   "vhost, %s: what is sent goes on", of);
	ok(quarantine_ends(10), "vhost, %s: it holds on to nothing", of);
	ok_errno(0, resize(name, SIZE), "vhost, %s: grow again", of);
	ok(not_zero(memory + HALF, SIZE - HALF) == 0,
	   "vhost, %s: it wrote to nothing that it had had", of);
	sends(0x55);
	ok(has_used(&queues[QUEUE_RECEIVE]) &&
		   memory[RECEIVED + HEADER + FRAME - 1] == 0x55,
	   "vhost, %s: and receives again", of);
}

static void queue_is_taken(const char *name, const char *of)
{
	ok(!is_readable(queues[QUEUE_RECEIVE].error, 0), "vhost, %s: no error yet", of);
	ok_errno(0, resize(name, RECEIVER), "vhost, %s: shrink below a queue", of);
	sends(0x66);
	ok(is_readable(queues[QUEUE_RECEIVE].error, 10000),
	   "vhost, %s: it reports that the queue is gone", of);
	ok(goes_out(PAGE * 8, 0x77), "vhost, %s: the other queue goes on", of);
}

static void with_pages_of(uint64_t align, const char *of)
{
	static const struct extent list[] = {{.start = 0, .size = HALF},
					     {.start = 2 * HALF, .size = SIZE - HALF},
					     {.size = 0}};
	char name[NAME_SIZE];

	make_of(name, align, list);
	memory = map_all(name, SIZE);
	make_interface();
	start();
	ok(goes_out(SENT, 0x11), "vhost, %s: a frame out of two extents", of);
	ok(comes_in(RECEIVED, 0x22), "vhost, %s: a frame into the second", of);
	ok(is_logged(RECEIVED) && is_logged(RECEIVER + 2 * PAGE),
	   "vhost, %s: it logs what it has written to", of);
	ok(!is_logged(RECEIVED + MIB), "vhost, %s: and nothing else", of);
	buffer_is_taken(name, of);
	queue_is_taken(name, of);
	stop();
	munmap(memory, SIZE);
	drop(name);
	ok(settled(10), "vhost, %s: all of it comes back", of);
}

void test_vhost(void)
{
	with_pages_of(4096, "4 KiB");
	with_pages_of(2 * MIB, "2 MiB");
}
