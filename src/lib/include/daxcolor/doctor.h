/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The doctor: what is known to keep guests from their colors, looked for before
 * it does. Nothing here calls libvirt.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

/**
 * DaxcCheckStatus:
 * @DAXC_CHECK_OK: nothing to do
 * @DAXC_CHECK_WARNING: guests start, but something should be seen to
 * @DAXC_CHECK_BROKEN: a guest would not start, or not be on colors
 */
typedef enum {
	DAXC_CHECK_OK,
	DAXC_CHECK_WARNING,
	DAXC_CHECK_BROKEN,
} DaxcCheckStatus;

/**
 * DaxcCheck:
 * @id: (transfer none): stable name, for scripts: "cgroup-acl"
 * @what: (transfer none): what was looked at
 * @why: what was found
 * @remedy: (nullable): what to do about it, NULL when OK
 * @fixable: daxc_doctor_run() with fix does it, or part of it
 * @fixed: it has just done so; @remedy then says what is left to do by hand
 */
typedef struct {
	const char *id;
	const char *what;
	DaxcCheckStatus status;
	char *why;
	char *remedy;
	gboolean fixable;
	gboolean fixed;
} DaxcCheck;

void daxc_check_free(DaxcCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCheck, daxc_check_free)

/* Returns: (transfer none): "ok", "warning", "broken". */
const char *daxc_check_status_name(DaxcCheckStatus status);

/**
 * DaxcDoctorOptions:
 * @root: (nullable): prefix of every path, for tests; the kernel's own state
 *   and the ledger are then left out unless @host simulates them
 * @host: which host; a simulated one has no libvirt or modules to check
 * @fix: repair what is a file of ours or a line of ours in a file of others:
 *   qemu.conf, AppArmor's local abstraction, the hook's link, modprobe.d and
 *   modules-load.d, the ledger's mode. No daemon is restarted.
 */
typedef struct {
	const char *root;
	DaxcHostOptions host;
	gboolean fix;
} DaxcDoctorOptions;

/**
 * daxc_doctor_run:
 *
 * Returns: (transfer full) (element-type DaxcCheck): in the order in which they
 *   are best seen to. What cannot be looked at is a check that says so.
 */
GPtrArray *daxc_doctor_run(const DaxcDoctorOptions *options);

/**
 * daxc_doctor_check_start:
 * @emulator: (nullable): the domain's emulator
 * @devices: (nullable): instances that it is going to open ("/dev/dax0.1"),
 *   NULL-terminated
 *
 * What would let the start fail later with a message of somebody else: the
 * launcher, AppArmor, and for @devices the cgroup. Takes some milliseconds.
 * Fails with DAXC_ERROR_REFUSED; the message says what to do.
 */
gboolean daxc_doctor_check_start(const char *emulator, const char *const *devices,
				 GError **error);

G_END_DECLS
