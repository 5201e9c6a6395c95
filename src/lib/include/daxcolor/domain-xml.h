/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's domain XML: our metadata in it is read and written here only.
 * Parsing never touches the network, loads no DTD and expands no entity.
 */
#pragma once

#include <daxcolor/request.h>

G_BEGIN_DECLS

#define DAXC_XML_NAMESPACE "urn:daxcolor:domain:1"
/* What an enrolled domain's emulator begins with, before the real QEMU's name. */
#define DAXC_LAUNCHER_PREFIX "daxcolor-"

/**
 * daxc_domain_read:
 * @xml: domain XML as libvirt writes it
 * @length: bytes of it, or -1 when it ends with NUL
 * @request: (out) (transfer full) (nullable): what the domain asks for; NULL
 *   when it has no metadata of ours
 *
 * Fails with DAXC_ERROR_INVALID when the document is not a well-formed domain
 * within bounds (UTF-8, 4 MiB, no DOCTYPE), when our metadata holds anything
 * unknown (an element, an attribute, text), when something outside of it only
 * looks like ours (the prefix, a namespace like "urn:daxcolor:domain:2"), or
 * when the rest of the domain cannot carry it: no file-backed shared
 * memoryBacking, hugepages, an emulator that is not the launcher, memory
 * devices, sizes that are no multiple of 2 MiB.
 */
gboolean daxc_domain_read(const char *xml, gssize length, DaxcRequest **request,
			  GError **error);

/**
 * daxc_domain_identify:
 *
 * Returns: (transfer full): name, UUID and live id of a domain and nothing
 *   else: who it is does not depend on metadata, which may be changed while
 *   the guest runs. Fails with DAXC_ERROR_INVALID.
 */
DaxcRequest *daxc_domain_identify(const char *xml, gssize length, GError **error);

/**
 * daxc_domain_enroll:
 * @wish: tenant and cells to write; its size, name and UUID are not used, and
 *   a cell whose node is DAXC_ANY_NODE and wish DAXC_WISH_ANY is not written.
 *   tenant equal to the domain's UUID, or NULL @wish, writes no tenant.
 *
 * Returns: (transfer full): the same domain with our metadata,
 *   memoryBacking (file, shared) and the launcher as its emulator; every other
 *   byte as it was. What had to be added is noted in the metadata's "added"
 *   attribute. Enrolling an enrolled domain replaces tenant and cells. Fails
 *   with DAXC_ERROR_REFUSED when the domain says something that enrolling
 *   would have to overrule (hugepages, memfd, private access, a foreign
 *   emulator wrapper), and with DAXC_ERROR_INVALID when daxc_domain_read()
 *   would not read the result.
 */
char *daxc_domain_enroll(const char *xml, const DaxcRequest *wish, GError **error);

/**
 * daxc_domain_unenroll:
 *
 * Returns: (transfer full): the domain without our metadata and launcher and
 *   without what "added" says that enrolling wrote, where nobody has changed
 *   it since; every other byte as it was. Fails with DAXC_ERROR_NOT_FOUND when
 *   the domain is not enrolled.
 */
char *daxc_domain_unenroll(const char *xml, GError **error);

G_END_DECLS
