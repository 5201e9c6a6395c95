// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Domain XML of any content: reading ends well or with an error, and a domain
 * that can be enrolled comes back from unenrolling byte by byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <daxcolor/domain-xml.h>
#include <daxcolor/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(gboolean truth)
{
	if (!truth)
		abort();
}

/* What reading finds; NOTHING when there is no metadata of ours, good or bad. */
typedef enum {
	FAULT,
	NOTHING,
	REQUEST
} Found;

static Found try_read(const char *xml, gssize length)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_domain_read(xml, length, &request, &error);

	demand(ok == (error == NULL));
	demand(ok || (!request && error->domain == DAXC_ERROR));
	demand(ok || (g_utf8_validate(error->message, -1, NULL) &&
		      !strchr(error->message, '\n')));
	demand(!request || daxc_request_check(request, NULL));
	return !ok ? FAULT : request ? REQUEST : NOTHING;
}

static void try_edit(const char *xml, Found before)
{
	g_autoptr(DaxcRequest) wish =
		daxc_request_new("6e2f35f8-24e3-4b0e-9c02-08f6f3d2b001", "x", "acme");
	DaxcCellRequest *cell = daxc_cell_request_new(0, 0);
	g_autofree char *during = NULL;
	g_autofree char *after = NULL;

	cell->node = 1;
	g_ptr_array_add(wish->cells, cell);
	during = daxc_domain_enroll(xml, wish, NULL);
	if (!during)
		return;
	demand(try_read(during, -1) == REQUEST);
	after = daxc_domain_unenroll(during, NULL);
	demand(after != NULL);
	/* What was enrolled before loses more than this enrolling added. */
	if (before == NOTHING && !strstr(xml, DAXC_LAUNCHER_PREFIX))
		demand(strcmp(after, xml) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *copy = g_strndup((const char *)data, size);
	g_autofree char *after = NULL;
	Found before = try_read((const char *)data, (gssize)size);

	if (strlen(copy) != size)
		return 0;
	try_edit(copy, before);
	after = daxc_domain_unenroll(copy, NULL);
	return 0;
}
