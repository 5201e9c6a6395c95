// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check-driver [--region R] [--long] [--seed N] [--file F] [--module M] PART...
 * check-driver --hold INSTANCE, --pin INSTANCE
 *
 * dax_color, from user space, as driver/ABI.md says it is. Runs as root in the virtual
 * host, where dax_color has a region, and nobody else an instance of it:
 *
 *   tests/driver/run --build build --kernel 6.12 maps
 *
 * Prints "ok - ..." and "not ok - ..." lines; exits 1 when something was not ok.
 */
#include "dax.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct options options = {.seconds = 10, .processes = 32, .seed = 1};

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"ops", test_ops},	   {"full", test_full},	    {"colors", test_colors},
	{"claims", test_claims},   {"maps", test_maps},	    {"minors", test_minors},
	{"nomem", test_nomem},	   {"resize", test_resize}, {"stale", test_stale},
	{"release", test_release}, {"vfio", test_vfio},	    {"vhost", test_vhost},
	{"poison", test_poison},   {"storm", test_storm},   {"kvm", test_kvm},
};

#define N_PARTS (sizeof(parts) / sizeof(*parts))

static void usage(void)
{
	fprintf(stderr, "usage: check-driver [--region R] [--long] [--seed N] [--file F] "
			"[--module M] "
			"PART...\nParts:");
	for (unsigned int i = 0; i < N_PARTS; i++)
		fprintf(stderr, " %s", parts[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

/* Has an instance mapped and in use until it is killed. */
_Noreturn static void hold(const char *name)
{
	uint64_t size = instance_number(name, "size");
	volatile char *memory = map_all(name, size);

	for (;;) {
		for (uint64_t at = 0; at < size; at += 4096)
			try_write(memory + at, at);
		usleep(1000);
	}
}

/* Has a page of an instance in a pipe until it is killed. */
_Noreturn static void pin(const char *name)
{
	struct iovec page = {map_all(name, instance_number(name, "size")), 4096};
	int ends[2];

	if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != 4096)
		die("vmsplice: %s", strerror(errno));
	for (;;)
		pause();
}

static void run(const char *name)
{
	for (unsigned int i = 0; i < N_PARTS; i++) {
		if (strcmp(parts[i].name, name) != 0)
			continue;
		parts[i].run();
		ok(consistent(), "%s: everything is accounted for at the end", name);
		return;
	}
	usage();
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"region", required_argument, NULL, 'r'},
		{"long", no_argument, NULL, 'l'},
		{"seed", required_argument, NULL, 's'},
		{"file", required_argument, NULL, 'f'},
		{"module", required_argument, NULL, 'm'},
		{"hold", required_argument, NULL, 'h'},
		{"pin", required_argument, NULL, 'p'},
		{},
	};
	int wanted = -1, option;

	catch_faults();
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'r':
			wanted = atoi(optarg);
			break;
		case 'l':
			options.long_form = true;
			options.seconds = 60;
			break;
		case 'm':
			options.module = optarg;
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			options.file = optarg;
			break;
		case 'h':
			hold(optarg);
		case 'p':
			pin(optarg);
		default:
			usage();
		}
	}
	if (optind == argc)
		usage();
	region_open(wanted);
	for (int i = optind; i < argc; i++)
		run(argv[i]);
	return failures != 0;
}
