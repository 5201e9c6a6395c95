// SPDX-License-Identifier: GPL-2.0-or-later
/* ledger-mark LEDGER START SIZE clean|dirty|bad: what a scrubber will do. */
#include <stdio.h>
#include <string.h>

#include "adapters/ledger.h"

#include <daxcolor/size.h>

static gboolean mark(const char *path, guint64 start, guint64 size,
		     DaxcGranuleState state, GError **error)
{
	g_autoptr(DaxcLedger)
		ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 1000, error);

	return ledger && daxc_ledger_begin(ledger, error) &&
	       daxc_ledger_mark(ledger, start, size, state, error) &&
	       daxc_ledger_commit(ledger, error);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	DaxcGranuleState state = DAXC_GRANULE_CLEAN;
	guint64 start, size;

	if (argc != 5 || !daxc_size_parse(argv[2], &start, &error) ||
	    !daxc_size_parse(argv[3], &size, &error))
		return 2;
	if (strcmp(argv[4], "bad") == 0)
		state = DAXC_GRANULE_BAD;
	else if (strcmp(argv[4], "dirty") == 0)
		state = DAXC_GRANULE_DIRTY;
	if (mark(argv[1], start, size, state, &error))
		return 0;
	fprintf(stderr, "%s\n", error->message);
	return 1;
}
