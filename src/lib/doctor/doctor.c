// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor. A check is one function that fills one DaxcCheck; a fix is one
 * function that changes one file, after which the check is made again.
 */
#include "doctor/private.h"

#include "provision/provision.h"

#include <daxcolor/error.h>

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

static char *configured_qemu_conf(const char *config, DaxcKernelChoice *choice,
				  GError **error)
{
	g_autoptr(DaxcConfig) loaded = daxc_load_config(config, error);

	if (!loaded)
		return NULL;
	*choice = loaded->kernel;
	return g_strdup(loaded->qemu_conf);
}

static void doctor_clear(Doctor *doctor)
{
	g_free(doctor->qemu_conf);
	g_clear_pointer(&doctor->regions, g_array_unref);
	g_clear_pointer(&doctor->unused, g_array_unref);
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
	if (doctor->host && daxc_kernel_minds_pins(doctor->host->kernel))
		stages |= ON_ACCOUNT;
	return stages;
}

static void doctor_init(Doctor *doctor, const DaxcDoctorOptions *options)
{
	const DaxcHostOptions *host = &options->host;

	doctor->root = options->root ? options->root : "";
	doctor->fix = options->fix;
	doctor->simulate = daxc_option(host->simulate, "DAXCOLOR_SIMULATE");
	doctor->state_dir = daxc_option(host->state_dir, "DAXCOLOR_STATE_DIR");
	doctor->qemu_conf = configured_qemu_conf(host->config, &doctor->choice, NULL);
	if (!doctor->qemu_conf)
		doctor->qemu_conf = g_strdup(DAXC_DEFAULT_QEMU_CONF);
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
	DaxcKernelChoice choice;
	g_autofree char *path = configured_qemu_conf(NULL, &choice, error);

	return path && daxc_doctor_check_start_in("", path, emulator, devices, error);
}
