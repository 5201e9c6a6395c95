// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the options of made up traces. */
#include "generator.h"

#include <string.h>

#define LOAD_MAX 1000.0
#define DAYS_MAX 3650.0
#define TENANTS_MAX (1u << 24)

static gboolean read_number(const char *text, const char *what, double least, double most,
			    double otherwise, double *number, GError **error)
{
	char *end;

	*number = otherwise;
	if (!text)
		return TRUE;
	*number = g_ascii_strtod(text, &end);
	if (*text != '\0' && *end == '\0' &&
	    strspn(text, "0123456789.") == strlen(text) && *number >= least &&
	    *number <= most)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s: \"%s\" is no number from %g to %g", what, text, least, most);
	return FALSE;
}

gboolean sched_generate_wished(const SchedGenerate *options)
{
	return options->load || options->days || options->tenants;
}

gboolean sched_generate_seed(const SchedGenerate *options, guint32 *seed, GError **error)
{
	guint64 number = 1;

	if (options->seed &&
	    !daxc_uint_parse(options->seed, "--seed", G_MAXUINT32, &number, error))
		return FALSE;
	*seed = (guint32)number;
	return TRUE;
}

SchedTrace *sched_generate(const SchedGenerate *options, const SchedFleet *fleet,
			   GError **error)
{
	SchedGeneratorOptions generator = {0};
	guint64 tenants = 0;
	double load;

	if (!read_number(options->load, "--load", 0.1, LOAD_MAX, 80, &load, error) ||
	    !read_number(options->days, "--days", 0, DAYS_MAX, 7, &generator.days,
			 error) ||
	    !sched_generate_seed(options, &generator.seed, error))
		return NULL;
	if (options->tenants &&
	    !daxc_uint_parse(options->tenants, "--tenants", TENANTS_MAX, &tenants, error))
		return NULL;
	generator.tenants = (guint)tenants;
	generator.memory = load / 100 * (double)fleet->capacity;
	return sched_trace_generate(&generator);
}
