// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another kernel without a reset: what is in memory stays.
 */
#include "dax.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

void kexec(const char *kernel, const char *initrd, const char *parameters)
{
	if (syscall(SYS_kexec_file_load, open_file(kernel), open_file(initrd),
		    strlen(parameters) + 1, parameters, 0UL))
		die("kexec_file_load of %s: %s", kernel, strerror(errno));
	sync();
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	die("kexec: %s", strerror(errno));
}
