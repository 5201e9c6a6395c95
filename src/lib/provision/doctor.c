// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor. A check is one function that fills one DaxcCheck; a fix is one
 * function that changes one file, after which the check is made again.
 */
#include "provision/doctor-private.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/config.h"

#include <daxcolor/error.h>

void daxc_check_free(DaxcCheck *check)
{
	g_free(check->why);
	g_free(check->remedy);
	g_free(check);
}

const char *daxc_check_status_name(DaxcCheckStatus status)
{
	switch (status) {
	case DAXC_CHECK_OK:
		return "ok";
	case DAXC_CHECK_WARNING:
		return "warning";
	case DAXC_CHECK_BROKEN:
		return "broken";
	}
	g_return_val_if_reached("unknown");
}

void daxc_doctor_verdict(DaxcCheck *check, DaxcCheckStatus status, char *why,
			 char *remedy)
{
	g_free(check->why);
	g_free(check->remedy);
	check->status = status;
	check->why = why;
	check->remedy = remedy;
}

void daxc_doctor_ok(DaxcCheck *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	daxc_doctor_verdict(check, DAXC_CHECK_OK, g_strdup_vprintf(format, args), NULL);
	va_end(args);
}

char *daxc_doctor_path(const Doctor *doctor, const char *path)
{
	return g_build_filename(doctor->root, path, NULL);
}

gboolean daxc_doctor_exists(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);

	return access(real, F_OK) == 0;
}

char *daxc_doctor_text(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(real, &text, NULL, NULL))
		return NULL;
	return g_strchomp(g_steal_pointer(&text));
}

gboolean daxc_doctor_write(Doctor *doctor, const char *path, const char *text,
			   GError **error)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	g_autofree char *dir = g_path_get_dirname(real);

	if (g_mkdir_with_parents(dir, 0755) != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot make %s: %s",
			    dir, g_strerror(errno));
		return FALSE;
	}
	return g_file_set_contents_full(real, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
					0644, error);
}

char *daxc_doctor_join(GPtrArray *list)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < list->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       (const char *)g_ptr_array_index(list, i));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void try_fix(Doctor *doctor, const DoctorCheck *spec, DaxcCheck *check)
{
	g_autoptr(GError) error = NULL;

	if (!spec->fix(doctor, &error)) {
		daxc_doctor_verdict(check, check->status,
				    g_strdup_printf("%s (could not be fixed: %s)",
						    check->why, error->message),
				    g_strdup(check->remedy));
		return;
	}
	spec->check(doctor, check);
	check->fixed = check->status == DAXC_CHECK_OK;
	if (check->fixed)
		check->remedy = g_strdup(spec->after_fix);
}

static void run_list(Doctor *doctor, const DoctorCheck *list, DoctorStage stages,
		     GPtrArray *checks)
{
	for (const DoctorCheck *spec = list; spec->id; spec++) {
		DaxcCheck *check;

		if (!(spec->stage & stages))
			continue;
		check = g_new0(DaxcCheck, 1);
		check->id = spec->id;
		check->what = spec->what;
		spec->check(doctor, check);
		if (doctor->fix && check->fixable)
			try_fix(doctor, spec, check);
		g_ptr_array_add(checks, check);
	}
}

/* An empty variable counts as unset. */
static const char *option_or_environment(const char *option, const char *variable)
{
	const char *value = option ? option : g_getenv(variable);

	return value && *value ? value : NULL;
}

static char *configured_qemu_conf(const char *config, GError **error)
{
	const char *path = option_or_environment(config, "DAXCOLOR_CONFIG");
	g_autoptr(DaxcConfig) loaded = NULL;

	loaded = daxc_config_load(path ? path : DAXC_DEFAULT_CONFIG, path != NULL, error);
	return loaded ? g_strdup(loaded->qemu_conf) : NULL;
}

static void doctor_clear(Doctor *doctor)
{
	g_free(doctor->qemu_conf);
	g_clear_pointer(&doctor->regions, g_array_unref);
	g_clear_pointer(&doctor->conf, daxc_qemu_conf_free);
	g_clear_error(&doctor->conf_error);
	g_clear_pointer(&doctor->host, daxc_host_free);
	g_clear_error(&doctor->host_error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Doctor, doctor_clear)

static DoctorStage stages_of(const Doctor *doctor, gboolean has_host)
{
	DoctorStage stages = 0;

	if (!doctor->simulate)
		stages |= ON_SYSTEM;
	if (has_host)
		stages |= ON_HOST;
	if (doctor->host)
		stages |= ON_OPEN_HOST;
	return stages;
}

static void doctor_init(Doctor *doctor, const DaxcDoctorOptions *options)
{
	const DaxcHostOptions *host = &options->host;

	doctor->root = options->root ? options->root : "";
	doctor->fix = options->fix;
	doctor->simulate = option_or_environment(host->simulate, "DAXCOLOR_SIMULATE");
	doctor->state_dir = option_or_environment(host->state_dir, "DAXCOLOR_STATE_DIR");
	doctor->qemu_conf = configured_qemu_conf(host->config, NULL);
	if (!doctor->qemu_conf)
		doctor->qemu_conf = g_strdup(DAXC_DEFAULT_QEMU_CONF);
	doctor->regions = g_array_new(FALSE, FALSE, sizeof(guint));
	daxc_doctor_find_regions(doctor);
}

GPtrArray *daxc_doctor_run(const DaxcDoctorOptions *options)
{
	g_auto(Doctor) doctor = {.root = NULL};
	GPtrArray *checks =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_check_free);
	DaxcHostOptions host = options->host;
	gboolean has_host;
	DoctorStage stages;

	doctor_init(&doctor, options);
	has_host = doctor.simulate || !options->root;
	host.read_only = TRUE;
	if (has_host)
		doctor.host = daxc_host_open(&host, &doctor.host_error);
	stages = stages_of(&doctor, has_host);
	run_list(&doctor, daxc_doctor_kernel_checks, stages, checks);
	run_list(&doctor, daxc_doctor_libvirt_checks, stages, checks);
	run_list(&doctor, daxc_doctor_host_checks, stages, checks);
	return checks;
}

static gboolean accept(const DaxcCheck *check, GError **error)
{
	if (check->status != DAXC_CHECK_BROKEN)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED, "%s: %s", check->why,
		    check->remedy);
	return FALSE;
}

gboolean daxc_doctor_check_start_in(const char *root, const char *qemu_conf_path,
				    const char *emulator, const char *const *devices,
				    GError **error)
{
	g_auto(Doctor) doctor = {.root = root, .qemu_conf = g_strdup(qemu_conf_path)};
	g_autoptr(DaxcCheck) check = g_new0(DaxcCheck, 1);

	if (emulator)
		daxc_doctor_judge_launcher(&doctor, emulator, check);
	if (!accept(check, error))
		return FALSE;
	daxc_doctor_judge_apparmor(&doctor, check);
	if (!accept(check, error))
		return FALSE;
	if (devices)
		daxc_doctor_judge_acl(&doctor, devices, check);
	return accept(check, error);
}

gboolean daxc_doctor_check_start(const char *emulator, const char *const *devices,
				 GError **error)
{
	g_autofree char *path = configured_qemu_conf(NULL, error);

	return path && daxc_doctor_check_start_in("", path, emulator, devices, error);
}

char *daxc_qemu_memory_dir(GError **error)
{
	g_autofree char *path = configured_qemu_conf(NULL, error);
	g_autoptr(DaxcQemuConf) conf = path ? daxc_qemu_conf_load(path, error) : NULL;

	return conf ? g_steal_pointer(&conf->memory_backing_dir) : NULL;
}
