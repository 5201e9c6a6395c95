// SPDX-License-Identifier: LGPL-2.1-or-later
/* The doctor on the host as daxcolor sees it: geometry, ledger, kernel. */
#include "doctor/private.h"
#include "provision/provision.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

static void check_host(Doctor *doctor, DaxcCheck *check)
{
	if (doctor->host) {
		daxc_doctor_ok(check, "regions, geometry and ledger can be read (%s)",
			       daxc_host_backend(doctor->host));
		return;
	}
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN, g_strdup(doctor->host_error->message),
		g_strdup("nothing can be carved before this is seen to; the other checks "
			 "may say why"));
}

/* Returns: (nullable): "ranges, zeros": what the kernel keeps by itself. */
static char *list_guarantees(DaxcHost *host)
{
	guint guarantees = daxc_host_guarantees(host);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint bit = 1; bit <= guarantees; bit <<= 1) {
		if (guarantees & bit)
			g_string_append_printf(text, "%s%s", text->len ? ", " : "",
					       daxc_guarantee_name(bit));
	}
	return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static void check_limits(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *kept = list_guarantees(doctor->host);
	const char *const *limits = daxc_host_limits(doctor->host);
	g_autofree char *text = limits && limits[0] ? g_strjoinv(" ", (char **)limits)
						    : NULL;

	daxc_doctor_ok(check, "%s%s%s%s%s", daxc_host_backend(doctor->host),
		       kept ? ", where the kernel itself keeps: " : "", kept ? kept : "",
		       kept   ? "; it cannot guarantee everything: "
		       : text ? " cannot guarantee everything: "
			      : " keeps all promises",
		       text ? text : "");
}

/* What there is to say of colors where a kernel can keep them apart. */
static const char *keeping(DaxcHost *host, const DaxcRegion *region,
			   const DaxcCacheDomain *domain)
{
	if (!(daxc_kernel_guarantees(host->kernel) & DAXC_GUARANTEE_COLORS))
		return "";
	if (daxc_host_enforces(host, region))
		return ", kept apart by the kernel";
	if (domain->kind == DAXC_GEOMETRY_RANGES)
		return ", not kept apart by the kernel, which cannot be told listed "
		       "ranges";
	return ", which the kernel is told before the first carving";
}

static void check_geometry(Doctor *doctor, DaxcCheck *check)
{
	const DaxcGeometry *geometry = daxc_host_geometry(doctor->host);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_host_regions(doctor->host, &error);
	g_autoptr(GString) known = g_string_new(NULL);
	g_autoptr(GString) unknown = g_string_new(NULL);

	if (!regions) {
		daxc_doctor_verdict(check, DAXC_CHECK_BROKEN, g_strdup(error->message),
				    NULL);
		return;
	}
	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);
		const DaxcCacheDomain *domain =
			daxc_geometry_for_node(geometry, region->node);

		if (domain)
			g_string_append_printf(known, "%sregion %u: %u colors, from %s%s",
					       known->len ? "; " : "", region->id,
					       domain->colors,
					       daxc_geometry_source_name(domain->source),
					       keeping(doctor->host, region, domain));
		else
			g_string_append_printf(unknown, "%sregion %u (node %d)",
					       unknown->len ? ", " : "", region->id,
					       region->node);
	}
	if (unknown->len == 0) {
		daxc_doctor_ok(check, "%s", known->len ? known->str : "no region yet");
		return;
	}
	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING,
		g_strdup_printf(
			"no memory-side cache is known in front of %s: nothing can "
			"be carved there",
			unknown->str),
		g_strdup("run this as root (the raw HMAT is root's), or describe the "
			 "cache "
			 "in daxcolor.conf: [cache NODE]"));
}

/* Returns: (nullable): the directory of a ledger on disk. */
static char *state_dir(const Doctor *doctor)
{
	if (!doctor->state_dir && doctor->simulate)
		return NULL;
	return g_strdup(doctor->state_dir ? doctor->state_dir : DAXC_DEFAULT_STATE_DIR);
}

static void check_ledger(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *dir = state_dir(doctor);
	g_autofree char *file = dir ? g_build_filename(dir, "ledger.db", NULL) : NULL;
	struct stat in_dir, in_file;

	if (!dir) {
		daxc_doctor_ok(check, "in memory only");
		return;
	}
	if (stat(dir, &in_dir) != 0 || stat(file, &in_file) != 0) {
		if (errno == ENOENT)
			daxc_doctor_ok(check, "none yet; the first carving makes it");
		else
			daxc_doctor_verdict(check, DAXC_CHECK_WARNING,
					    g_strdup_printf("cannot look at %s: %s", file,
							    g_strerror(errno)),
					    g_strdup("run this as root"));
		return;
	}
	if ((in_dir.st_mode | in_file.st_mode) & 022) {
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup_printf("%s (mode %o, in a directory of mode %o) can be "
					"changed by others, who could give tenants each "
					"other's memory",
					file, in_file.st_mode & 0777,
					in_dir.st_mode & 0777),
			g_strdup("find out who did; `daxcolor list` shows what it says; "
				 "then "
				 "make them 0600 and 0700"));
		return;
	}
	if (!(in_file.st_mode & 077)) {
		daxc_doctor_ok(check, "%s is its owner's only", file);
		return;
	}
	check->fixable = TRUE;
	daxc_doctor_verdict(check, DAXC_CHECK_WARNING,
			    g_strdup_printf("%s (mode %o) can be read by others", file,
					    in_file.st_mode & 0777),
			    g_strdup("make it 0600, or " DOCTOR_FIX));
}

static gboolean fix_ledger(Doctor *doctor, GError **error)
{
	g_autofree char *dir = state_dir(doctor);
	g_autofree char *file = g_build_filename(dir, "ledger.db", NULL);

	if (chmod(file, 0600) == 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot change the mode of %s: %s", file, g_strerror(errno));
	return FALSE;
}

/* Counts bad granules, and names the first few. */
static guint find_bad(const DaxcSnapshot *snapshot, GString *ranges)
{
	const guint named = 4;
	guint bad = 0;

	for (guint i = 0; i < snapshot->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);
		g_autofree char *range = NULL;

		if (granule->state != DAXC_GRANULE_BAD || ++bad > named)
			continue;
		range = daxc_range_format(granule->start, granule->size);
		g_string_append_printf(ranges, "%s%s", bad > 1 ? ", " : "", range);
	}
	if (bad > named)
		g_string_append(ranges, ", ...");
	return bad;
}

/* Returns: (nullable): what is to be done about a carving. */
static const char *lacking(const DaxcHost *host, const DaxcCarving *carving,
			   const DaxcInstance *instance)
{
	if (carving->state == DAXC_CARVING_SCRUBBING && daxc_maker_lives(carving))
		return NULL;
	if (carving->state != DAXC_CARVING_ACTIVE)
		return daxc_carving_state_name(carving->state);
	if (!instance)
		return "no instance";
	return daxc_kernel_knows_claims(host->kernel) && !instance->claimant
		       ? "not claimed"
		       : NULL;
}

/* Only what `daxcolor recover` would see to; it may also be in the making. */
static GPtrArray *unfinished(const DaxcHost *host, const DaxcSnapshot *snapshot)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);
		const char *why =
			lacking(host, carving, g_ptr_array_index(snapshot->found, i));

		if (why)
			g_ptr_array_add(list,
					g_strdup_printf("%s cell %u (%s)", carving->name,
							carving->plan->cell, why));
	}
	return list;
}

static void check_agreement(Doctor *doctor, DaxcCheck *check)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(doctor->host, &error);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autofree char *names = NULL;

	layout = snapshot ? daxc_snapshot_layout(doctor->host, snapshot, NULL, &error)
			  : NULL;
	if (!layout) {
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN, g_strdup(error->message),
			g_strdup("nothing is carved until ledger and kernel agree: "
				 "`daxcolor recover`"));
		return;
	}
	list = unfinished(doctor->host, snapshot);
	if (list->len == 0) {
		daxc_doctor_ok(check, "%u carving%s, all as the kernel has them",
			       snapshot->carvings->len,
			       snapshot->carvings->len == 1 ? "" : "s");
		return;
	}
	names = daxc_doctor_join(list);
	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING, g_strdup_printf("unfinished: %s", names),
		g_strdup("when no guest is just starting or stopping: `daxcolor "
			 "recover`"));
}

static void check_foreign(Doctor *doctor, DaxcCheck *check)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(doctor->host, &error);
	g_autoptr(GString) names = g_string_new(NULL);

	if (!snapshot) {
		daxc_doctor_verdict(check, DAXC_CHECK_BROKEN, g_strdup(error->message),
				    NULL);
		return;
	}
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);
		g_autofree char *size = daxc_size_format(instance->size);

		if (!daxc_is_being_filled(snapshot, instance->name, NULL))
			g_string_append_printf(names, "%s%s (%s)", names->len ? ", " : "",
					       instance->name, size);
	}
	if (names->len == 0) {
		daxc_doctor_ok(check, "every instance is a carving");
		return;
	}
	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING,
		g_strdup_printf("not made by daxcolor: %s; nobody else gets the colors "
				"they touch",
				names->str),
		g_strdup("if nobody uses them: `daxctl disable-device`, then `daxctl "
			 "destroy-device`"));
}

static void check_bad(Doctor *doctor, DaxcCheck *check)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(doctor->host, &error);
	g_autoptr(GString) ranges = g_string_new(NULL);
	guint bad;

	if (!snapshot) {
		daxc_doctor_verdict(check, DAXC_CHECK_BROKEN, g_strdup(error->message),
				    NULL);
		return;
	}
	bad = find_bad(snapshot, ranges);
	if (bad == 0)
		daxc_doctor_ok(check, "no granule is bad");
	else
		daxc_doctor_verdict(
			check, DAXC_CHECK_WARNING,
			g_strdup_printf("the memory of %u granule%s failed (%s); never "
					"used again",
					bad, bad == 1 ? "" : "s", ranges->str),
			g_strdup("restart guests that still have it; have the module "
				 "replaced"));
}

static void check_pinned(Doctor *doctor, DaxcCheck *check)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_host_regions(doctor->host, &error);
	g_autofree char *size = NULL;

	if (!regions) {
		daxc_doctor_verdict(check, DAXC_CHECK_BROKEN, g_strdup(error->message),
				    NULL);
		return;
	}
	if (daxc_pinned(regions) == 0) {
		daxc_doctor_ok(check, "nobody has memory pinned that was given back");
		return;
	}
	size = daxc_size_format(daxc_pinned(regions));
	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING,
		g_strdup_printf("%s that were given back are still pinned; nobody gets "
				"them, nor their colors, until that ends",
				size),
		g_strdup("end the processes that have host devices (VFIO) or registered "
			 "buffers there"));
}

const DoctorCheck daxc_doctor_host_checks[] = {
	{"host", "host", ON_HOST, check_host},
	{"backend", "backend", ON_OPEN_HOST, check_limits},
	{"geometry", "geometry", ON_OPEN_HOST, check_geometry},
	{"ledger", "ledger", ON_HOST, check_ledger, fix_ledger},
	{"agreement", "ledger and kernel", ON_OPEN_HOST, check_agreement},
	{"foreign", "foreign instances", ON_OPEN_HOST, check_foreign},
	{"memory", "failed memory", ON_OPEN_HOST, check_bad},
	{"pinned", "pinned memory", ON_ACCOUNT, check_pinned},
	{NULL},
};
