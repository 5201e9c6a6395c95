/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libvirt's hook keeps of root's power. */
#pragma once

#include <glib.h>

/**
 * hook_drop_privileges:
 * @hands_over: it will make device nodes in a domain's memory directory
 *
 * Keeps what looking through other processes and writing to sysfs needs, and for
 * @hands_over what making nodes of another user needs; all else is gone for good,
 * also for what might be executed. Without root's user id nothing is done.
 */
gboolean hook_drop_privileges(gboolean hands_over, GError **error);
