/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libvirt runs. */
#pragma once

#include <daxcolor/daxcolor.h>

/**
 * cli_running_guests:
 * @uri: (nullable): which libvirt; NULL: $LIBVIRT_DEFAULT_URI or qemu:///system
 * @reached: (out): FALSE when libvirt could not be reached, and said so in @error
 *
 * Returns: (transfer full) (element-type DaxcGuest): every running domain, in
 *   order of name.
 */
GPtrArray *cli_running_guests(const char *uri, gboolean *reached, GError **error);
