/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tenants as a kernel that keeps colors apart knows them: by UUID. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_owner_uuid:
 *
 * Returns: (transfer full): the UUID of a tenant, in lower case: the tenant's name where
 *   that is one, written like that, and not nil; else the UUID of version 5 (RFC 4122)
 *   of the name, in a namespace of ours. Tenants that differ have UUIDs that differ.
 */
char *daxc_owner_uuid(const char *tenant);

/* Fails with DAXC_ERROR_INVALID when @tenant is the host, for what is lent to it. */
gboolean daxc_tenant_check_guest(const char *tenant, GError **error);

G_END_DECLS
