/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host on the simulated kernel, and guests for it. */
#pragma once

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <daxcolor/daxcolor.h>

#include "provision/provision.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

/* Two cache domains, five and two colors; node 1's memory is in two regions. */
static const char host_text[] = "[host]\n"
				"description=three regions\n"
				"[cache 1]\nsize=5GiB\n"
				"[cache 2]\nsize=2GiB\n"
				"[region 0]\nstart=0x140000000\nsize=15GiB\nnode=1\n"
				"[region 1]\nstart=0x800000000\nsize=7GiB\nnode=1\n"
				"[region 2]\nstart=0x1000000000\nsize=6GiB\nnode=2\n";

typedef struct {
	char *dir;
	char *file;
	char *config; /* so that the machine's own does not count */
	DaxcHost *host;
} Fixture;

static inline DaxcHost *open_host(const Fixture *f, gboolean persistent)
{
	const DaxcHostOptions options = {
		.config = f->config,
		.simulate = f->file,
		.state_dir = persistent ? f->dir : NULL,
	};
	g_autoptr(GError) error = NULL;
	DaxcHost *host = daxc_host_open(&options, &error);

	unit_assert_no_error(error);
	return host;
}

static inline Fixture setup_with(gboolean persistent, const char *config)
{
	Fixture f = {0};

	f.dir = g_dir_make_tmp("daxcolor-test-XXXXXX", NULL);
	f.file = g_build_filename(f.dir, "test.host", NULL);
	f.config = g_build_filename(f.dir, "daxcolor.conf", NULL);
	ck_assert(g_file_set_contents(f.file, host_text, -1, NULL));
	ck_assert(g_file_set_contents(f.config, config, -1, NULL));
	f.host = open_host(&f, persistent);
	return f;
}

static inline Fixture setup(gboolean persistent)
{
	return setup_with(persistent, "[daxcolor]\nwait = 1\n");
}

static inline void teardown(Fixture *f)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->dir);

	g_clear_pointer(&f->host, daxc_host_free);
	ck_assert_int_eq(system(command), 0);
	g_free(f->file);
	g_free(f->config);
	g_free(f->dir);
}

static inline DaxcRequest *request_new(guint guest, const char *tenant, guint64 size)
{
	g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", guest);
	g_autofree char *name = g_strdup_printf("guest%u", guest);
	DaxcRequest *request = daxc_request_new(uuid, name, tenant);

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, size));
	return request;
}

static inline DaxcCellRequest *cell_of(DaxcRequest *request, guint index)
{
	return g_ptr_array_index(request->cells, index);
}

/* Carves for a guest; NULL with @error. */
static inline DaxcCarving *carve(const Fixture *f, guint guest, const char *tenant,
				 guint64 size, gint node, GError **error)
{
	g_autoptr(DaxcRequest) request = request_new(guest, tenant, size);
	g_autoptr(GPtrArray) made = NULL;

	cell_of(request, 0)->node = node;
	made = daxc_host_carve(f->host, request, error);
	return made ? g_ptr_array_steal_index(made, 0) : NULL;
}

static inline DaxcCarving *carve_well(const Fixture *f, guint guest, const char *tenant,
				      guint64 size, gint node)
{
	g_autoptr(GError) error = NULL;
	DaxcCarving *carving = carve(f, guest, tenant, size, node, &error);

	unit_assert_no_error(error);
	return carving;
}

static inline guint instances_with_memory(DaxcHost *host)
{
	g_autoptr(GPtrArray) instances = daxc_host_instances(host, NULL);
	guint n = 0;

	for (guint i = 0; i < instances->len; i++)
		n += ((DaxcInstance *)g_ptr_array_index(instances, i))->size > 0;
	return n;
}

/* Those that are no seed, empty ones too. */
static inline guint instances_made(DaxcHost *host)
{
	g_autoptr(GPtrArray) instances = daxc_host_instances(host, NULL);
	guint n = 0;

	for (guint i = 0; i < instances->len; i++)
		n += !((DaxcInstance *)g_ptr_array_index(instances, i))->seed;
	return n;
}

static inline guint carvings(DaxcHost *host)
{
	g_autoptr(GPtrArray) all = daxc_host_carvings(host, NULL);

	return all->len;
}
