// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirtd gives its hooks all of root's capabilities; these few are enough. */
#include "hooks/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <daxcolor/error.h>

#define SETS (CAPNG_EFFECTIVE | CAPNG_PERMITTED)

static int keep(gboolean hands_over)
{
	/* DAC_*: files and processes of the QEMU user. SYS_PTRACE and
	 * CHECKPOINT_RESTORE: /proc/PID/fd and map_files of others. */
	int failed = capng_updatev(CAPNG_ADD, SETS, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
				   CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE, -1);

	if (hands_over)
		failed |= capng_updatev(CAPNG_ADD, SETS, CAP_MKNOD, CAP_CHOWN, -1);
	return failed;
}

gboolean hook_drop_privileges(gboolean hands_over, GError **error)
{
	if (geteuid() != 0)
		return TRUE;
	capng_clear(CAPNG_SELECT_BOTH);
	if (keep(hands_over) == 0 && capng_apply(CAPNG_SELECT_CAPS) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot drop the privileges that are not needed: %s",
		    g_strerror(errno));
	return FALSE;
}
