/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains of a libvirt, by libvirt-glib. */
#pragma once

#include <libvirt-gobject/libvirt-gobject.h>

/**
 * cli_libvirt_open:
 * @uri: (nullable): NULL: $LIBVIRT_DEFAULT_URI or qemu:///system
 *
 * Returns: (transfer full): a connection that knows its domains.
 */
GVirConnection *cli_libvirt_open(const char *uri, GError **error);

/* Returns: (transfer full): XML of the persistent domain, secrets included. */
char *cli_libvirt_read(GVirDomain *domain, GError **error);

/* Defines a domain, and reads back whether it is the tenant's. */
gboolean cli_libvirt_define(GVirConnection *connection, const char *xml, GError **error);
