/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request: what one guest asks for, read from its domain XML or put
 * together by hand. Pure data.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DAXC_ANY_NODE (-1)

typedef enum {
	DAXC_WISH_ANY,	 /* the fewest colors that hold the cell */
	DAXC_WISH_COUNT, /* exactly this many colors */
	DAXC_WISH_LIST,	 /* exactly these colors */
} DaxcColorWish;

/**
 * DaxcCellRequest:
 * @id: guest NUMA cell; 0 for a guest without cells
 * @size: bytes, a multiple of 2 MiB, at least one
 * @node: host NUMA node, or DAXC_ANY_NODE
 * @near: (element-type gint): host nodes that the guest's numatune names for
 *   this cell, where @node is DAXC_ANY_NODE; may be empty, never NULL
 * @wish: how @count and @list are meant
 * @count: COUNT: number of colors, at least 1
 * @list: (element-type guint32): LIST: colors, ascending, no duplicates;
 *   never NULL
 */
typedef struct {
	guint id;
	guint64 size;
	gint node;
	GArray *near;
	DaxcColorWish wish;
	guint count;
	GArray *list;
} DaxcCellRequest;

/**
 * DaxcRequest:
 * @uuid: the domain's UUID, canonical lower case
 * @name: the domain's name
 * @tenant: who owns the colors; the UUID when the domain names none
 * @live_id: libvirt's id of the running domain, -1 when it has none
 * @emulator: (nullable): path of the domain's emulator
 * @shared: it may be opened more than once, where the kernel would refuse that
 * @cells: (element-type DaxcCellRequest): in order of id, at least one
 */
typedef struct {
	char *uuid;
	char *name;
	char *tenant;
	gint live_id;
	char *emulator;
	gboolean shared;
	GPtrArray *cells;
} DaxcRequest;

DaxcCellRequest *daxc_cell_request_new(guint id, guint64 size);
void daxc_cell_request_free(DaxcCellRequest *cell);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCellRequest, daxc_cell_request_free)

DaxcRequest *daxc_request_new(const char *uuid, const char *name, const char *tenant);
void daxc_request_free(DaxcRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcRequest, daxc_request_free)

/* Returns: bytes of all cells together. */
guint64 daxc_request_size(const DaxcRequest *request);

/**
 * daxc_request_check:
 *
 * Checks every rule stated above; all who take a request call it first.
 * Fails with DAXC_ERROR_INVALID.
 */
gboolean daxc_request_check(const DaxcRequest *request, GError **error);

/**
 * daxc_color_list_parse:
 * @text: colors and runs of colors: "1,3", "0-3,8"
 *
 * Returns: (transfer full) (element-type guint32): ascending, no duplicates.
 *   Fails with DAXC_ERROR_INVALID on anything else, an empty list, a color
 *   named twice, or one of DAXC_COLORS_MAX and above.
 */
GArray *daxc_color_list_parse(const char *text, GError **error);

/* Returns: (transfer full): what daxc_color_list_parse() reads, runs joined. */
char *daxc_color_list_format(const GArray *colors);

/**
 * daxc_tenant_check:
 *
 * A tenant's name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or
 * digit, so that it can stand in a message, a path and a resource class.
 */
gboolean daxc_tenant_check(const char *tenant, GError **error);

G_END_DECLS
