// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest of a few bytes that writes to all of its memory, round after round, while
 * memory is taken from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dax.h"

#define CODE 0x1000
#define DATA 0x100000 /* what it writes to begins here */
#define PORT 0x10

struct guest {
	int vm;
	int vcpu;
	struct kvm_run *run;
	int run_size;
	char *memory;
	uint64_t size;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint_fast64_t rounds;
	atomic_uint_fast64_t refused; /* KVM_RUN: EFAULT */
	atomic_int odd;		      /* anything else */
};

static int control(int fd, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		die("kvm: %s: %s", what, strerror(errno));
	return result;
}

/*
 * 32 bits, flat, no paging: writes a number to a word in every @step bytes up to @limit,
 * says that by a write to a port, and goes on with the next number.
 */
static void write_code(char *memory, uint32_t step, uint32_t limit)
{
	unsigned char code[] = {
		0x31, 0xc0,		/*        xor eax, eax   */
		0x40,			/* round: inc eax        */
		0xbe, 0,    0, 0, 0,	/*        mov esi, DATA  */
		0x89, 0x06,		/* next:  mov [esi], eax */
		0x81, 0xc6, 0, 0, 0, 0, /*        add esi, step  */
		0x81, 0xfe, 0, 0, 0, 0, /*        cmp esi, limit */
		0x72, 0xf0,		/*        jb next        */
		0xe6, PORT,		/*        out PORT, al   */
		0xeb, 0xe6,		/*        jmp round      */
	};
	uint32_t data = DATA;

	memcpy(code + 4, &data, 4);
	memcpy(code + 12, &step, 4);
	memcpy(code + 18, &limit, 4);
	memcpy(memory + CODE, code, sizeof(code));
}

static void set_registers(struct guest *guest)
{
	struct kvm_segment segment = {.limit = 0xffffffff,
				      .selector = 8,
				      .type = 11,
				      .present = 1,
				      .db = 1,
				      .s = 1,
				      .g = 1};
	struct kvm_regs registers = {.rip = CODE, .rflags = 2};
	struct kvm_sregs special;

	control(guest->vcpu, KVM_GET_SREGS, &special, "KVM_GET_SREGS");
	special.cs = segment;
	segment.type = 3;
	segment.selector = 16;
	special.ds = special.es = special.fs = special.gs = special.ss = segment;
	special.cr0 |= 1;
	control(guest->vcpu, KVM_SET_SREGS, &special, "KVM_SET_SREGS");
	control(guest->vcpu, KVM_SET_REGS, &registers, "KVM_SET_REGS");
}

static void *vcpu_loop(void *argument)
{
	struct guest *guest = argument;

	while (!guest->stop) {
		if (ioctl(guest->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EFAULT) {
				guest->refused++;
				usleep(1000);
			} else if (errno != EINTR) {
				guest->odd = errno;
				break;
			}
		} else if (guest->run->exit_reason == KVM_EXIT_IO) {
			guest->rounds++;
		} else {
			guest->odd = 1000 + (int)guest->run->exit_reason;
			break;
		}
	}
	return NULL;
}

static void guest_start(struct guest *guest, const char *name, uint64_t size,
			uint32_t step)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_userspace_memory_region slot = {.memory_size = size};

	if (kvm < 0)
		die("kvm: /dev/kvm: %s", strerror(errno));
	memset(guest, 0, sizeof(*guest));
	guest->size = size;
	guest->memory = map_all(name, size);
	slot.userspace_addr = (uintptr_t)guest->memory;
	write_code(guest->memory, step, (uint32_t)size);
	guest->vm = control(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	control(guest->vm, KVM_SET_TSS_ADDR, (void *)0xfffbd000, "KVM_SET_TSS_ADDR");
	control(guest->vm, KVM_SET_USER_MEMORY_REGION, &slot,
		"KVM_SET_USER_MEMORY_REGION");
	guest->vcpu = control(guest->vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
	guest->run_size =
		control(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	guest->run = mmap(NULL, (size_t)guest->run_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, guest->vcpu, 0);
	set_registers(guest);
	close(kvm);
	if (guest->run == MAP_FAILED ||
	    pthread_create(&guest->thread, NULL, vcpu_loop, guest))
		die("kvm: no thread for the guest");
}

/* It ends between two rounds, or where it is stuck. */
static void guest_end(struct guest *guest)
{
	guest->stop = true;
	pthread_join(guest->thread, NULL);
	munmap(guest->run, (size_t)guest->run_size);
	close(guest->vcpu);
	close(guest->vm);
	munmap(guest->memory, guest->size);
}

static bool grows(atomic_uint_fast64_t *counter, unsigned int seconds)
{
	uint64_t before = *counter;
	double end = now() + seconds;

	while (*counter <= before + 1) {
		if (now() > end)
			return false;
		usleep(1000);
	}
	return true;
}

static uint64_t large_entries(void)
{
	char *text = get("/sys/kernel/debug/kvm/pages_1g");
	uint64_t count = strtoull(text, NULL, 10);

	free(text);
	return count;
}

static void large_pages(void)
{
	const struct extent list[] = {
		{.start = 0, .size = GIB}, {.start = 2 * GIB, .size = GIB}, {.size = 0}};
	struct guest guest;
	char name[NAME_SIZE];

	make_of(name, GIB, list);
	guest_start(&guest, name, 2 * GIB, 2 * MIB);
	ok(grows(&guest.rounds, 60),
	   "kvm: a guest writes to all of 2 GiB in two extents");
	if (!ok(large_entries() == 2, "kvm: through two entries of 1 GiB (pages_1g)"))
		note("%" PRIu64, large_entries());
	ok(faults(name, GIB) == 2, "kvm: after two faults");
	ok_errno(0, resize(name, GIB), "kvm: shrink by 1 GiB while it writes there");
	ok(large_entries() < 2, "kvm: KVM's entry is gone when the write returns");
	ok(grows(&guest.refused, 30), "kvm: the guest cannot go on");
	ok(guest.odd == 0, "kvm: nothing else happens to it");
	guest_end(&guest);
	drop(name);
}

static void shrink_and_grow(uint64_t align, const char *of)
{
	const struct extent first[] = {{.start = 0, .size = 8 * MIB},
				       {.start = 16 * MIB, .size = 8 * MIB},
				       {.size = 0}};
	const struct extent gone[] = {{.start = 16 * MIB, .size = 8 * MIB}, {.size = 0}};
	struct guest guest;
	char name[NAME_SIZE], other[NAME_SIZE];
	uint64_t rounds;
	char *memory;

	make_of(name, align, first);
	guest_start(&guest, name, 16 * MIB, 4096);
	ok(grows(&guest.rounds, 60), "kvm %s: a guest writes to all of its memory", of);
	ok_errno(0, resize(name, 8 * MIB), "kvm %s: shrink while it writes there", of);
	ok(grows(&guest.refused, 30), "kvm %s: it cannot go on", of);
	rounds = guest.rounds;
	make_of(other, align, gone);
	memory = map_all(other, 8 * MIB);
	ok(not_zero(memory, 8 * MIB) == 0, "kvm %s: what went is zero for the next one",
	   of);
	fill(memory, 0, 8 * MIB, 9);
	ok(grows(&guest.refused, 30) && guest.rounds == rounds,
	   "kvm %s: the guest is still there", of);
	ok(strangers(memory, 0, 8 * MIB, 9) == 0, "kvm %s: and does not write to it", of);
	munmap(memory, 8 * MIB);
	drop(other);
	ok_errno(0, resize(name, 16 * MIB), "kvm %s: grow again", of);
	ok(grows(&guest.rounds, 60), "kvm %s: it goes on where it was", of);
	for (int i = 0; i < 10; i++) {
		resize(name, 8 * MIB);
		resize(name, 16 * MIB);
	}
	ok(grows(&guest.rounds, 60), "kvm %s: ten times again", of);
	ok(guest.odd == 0, "kvm %s: nothing else happens to it", of);
	guest_end(&guest);
	drop(name);
	ok(consistent(), "kvm %s: consistent afterwards", of);
}

void test_kvm(void)
{
	shrink_and_grow(4096, "4 KiB");
	shrink_and_grow(2 * MIB, "2 MiB");
	large_pages();
}
