// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/owner.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/lend.h>

#define NIL "00000000-0000-0000-0000-000000000000"

/* dc5e0459-325c-454b-b5eb-967971957c33: made at random, and ours from then on. */
static const guint8 namespace[16] = {0xdc, 0x5e, 0x04, 0x59, 0x32, 0x5c, 0x45, 0x4b,
				     0xb5, 0xeb, 0x96, 0x79, 0x71, 0x95, 0x7c, 0x33};

/* Written otherwise, it is another tenant's name. */
static gboolean is_canonical(const char *tenant)
{
	g_autofree char *lower = g_ascii_strdown(tenant, -1);

	return g_uuid_string_is_valid(tenant) && strcmp(lower, tenant) == 0 &&
	       strcmp(tenant, NIL) != 0;
}

static void hash_name(const char *name, guint8 digest[20])
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
	gsize size = 20;

	g_checksum_update(checksum, namespace, sizeof(namespace));
	g_checksum_update(checksum, (const guchar *)name, -1);
	g_checksum_get_digest(checksum, digest, &size);
}

char *daxc_owner_uuid(const char *tenant)
{
	guint8 id[20];

	if (is_canonical(tenant))
		return g_strdup(tenant);
	hash_name(tenant, id);
	id[6] = (id[6] & 0x0f) | 0x50;
	id[8] = (id[8] & 0x3f) | 0x80;
	return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			       "%02x%02x%02x%02x%02x%02x",
			       id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7],
			       id[8], id[9], id[10], id[11], id[12], id[13], id[14],
			       id[15]);
}

gboolean daxc_tenant_check_guest(const char *tenant, GError **error)
{
	if (strcmp(tenant, DAXC_LENT_TENANT) != 0)
		return TRUE;
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_INVALID,
		"no guest can be of tenant %s: that is the host, for what is lent to it",
		tenant);
	return FALSE;
}
