// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: text as daxcolor.conf and as a host description. What is accepted
 * must be fit for the core; what is refused must name the file.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/config.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void check_domains(const DaxcConfig *config)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();

	for (guint i = 0; i < config->domains->len; i++) {
		if (!daxc_geometry_add(geometry, g_ptr_array_index(config->domains, i),
				       NULL))
			abort();
	}
}

static void check_regions(const DaxcConfig *config)
{
	for (guint i = 0; i < config->regions->len; i++) {
		const DaxcRegion *a = g_ptr_array_index(config->regions, i);

		for (guint j = 0; j < i; j++) {
			const DaxcRegion *b = g_ptr_array_index(config->regions, j);

			if (a->id <= b->id || (a->start < b->start + b->size &&
					       b->start < a->start + a->size))
				abort();
		}
	}
}

static void try(const char *text, gsize length, gboolean host)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig)
		config = daxc_config_parse("FILE", text, length, host, &error);

	if ((config == NULL) == (error == NULL))
		abort();
	if (error && !g_str_has_prefix(error->message, "FILE"))
		abort();
	if (!config)
		return;
	check_domains(config);
	check_regions(config);
	if (host != (config->regions->len > 0) ||
	    config->distances->len != config->n_nodes * config->n_nodes)
		abort();
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	g_autofree char *text = g_malloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try(text, size, FALSE);
	try(text, size, TRUE);
	return 0;
}
