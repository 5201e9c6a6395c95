/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the doctor's files share; no other part includes this. */
#pragma once

#include "adapters/config.h"
#include "adapters/qemu-conf.h"

#include <daxcolor/doctor.h>
#include <daxcolor/domain-xml.h>

G_BEGIN_DECLS

#define GATE BINDIR "/daxcolor-qemu-hook"
#define HOOK LIBEXECDIR "/qemu-hook"
#define HOOK_LINK HOOKSDIR "/daxcolor"
#define LAUNCHERS BINDIR "/" DAXC_LAUNCHER_PREFIX "qemu-system-"
#define DEFAULT_LAUNCHER LAUNCHERS "x86_64"

#define RESTART "restart libvirtd (running guests go on)"
#define DOCTOR_FIX "`daxcolor doctor --fix`"

/**
 * Doctor: what checks look at.
 * @root: "" on a live host
 * @fix: what can be repaired is
 * @simulate, @state_dir: (nullable): from option or environment
 * @qemu_conf: its path, without the root
 * @choice: which kernel driver the configuration wants
 * @dax_color: its regions are looked at, and not those on the dax bus
 * @regions: (element-type guint): ids of those that are looked at, ascending
 * @unused: (element-type guint): ids of the other kernel driver's
 * @conf: (nullable): read when first needed; NULL: @conf_error says why
 * @host: (nullable): NULL when there is none to look at, or @host_error
 */
typedef struct {
	const char *root;
	gboolean fix;
	const char *simulate;
	const char *state_dir;
	char *qemu_conf;
	DaxcKernelChoice choice;
	gboolean dax_color;
	GArray *regions;
	GArray *unused;
	DaxcQemuConf *conf;
	GError *conf_error;
	DaxcHost *host;
	GError *host_error;
} Doctor;

/* What a check needs to be made at all. */
typedef enum {
	ON_SYSTEM = 1 << 0,    /* this machine, or a test's root; no simulated host */
	ON_HOST = 1 << 1,      /* a host: simulated, or live */
	ON_OPEN_HOST = 1 << 2, /* the same, and it could be opened */
	ON_ACCOUNT = 1 << 3,   /* and its kernel counts what it does with memory */
} DoctorStage;

/**
 * DoctorCheck:
 * @check: fills status, why, remedy and fixable
 * @fix: (nullable): changes one thing; @check is then made again
 * @after_fix: (nullable): what is left to do by hand
 */
typedef struct {
	const char *id;
	const char *what;
	DoctorStage stage;
	void (*check)(Doctor *doctor, DaxcCheck *check);
	gboolean (*fix)(Doctor *doctor, GError **error);
	const char *after_fix;
} DoctorCheck;

/* Lists of checks, ended by one without an id. */
extern const DoctorCheck daxc_doctor_kernel_checks[];
extern const DoctorCheck daxc_doctor_libvirt_checks[];
extern const DoctorCheck daxc_doctor_host_checks[];

/* Sets the outcome; takes @why and @remedy. */
void daxc_doctor_verdict(DaxcCheck *check, DaxcCheckStatus status, char *why,
			 char *remedy);
void daxc_doctor_ok(DaxcCheck *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

char *daxc_doctor_path(const Doctor *doctor, const char *path);
gboolean daxc_doctor_exists(const Doctor *doctor, const char *path);
/* Returns: (nullable): the file's text without white space at its end. */
char *daxc_doctor_text(const Doctor *doctor, const char *path);
/* Replaces the file, and makes its directory. */
gboolean daxc_doctor_write(Doctor *doctor, const char *path, const char *text,
			   GError **error);
char *daxc_doctor_join(GPtrArray *list);

/* Finds the regions of both kernel drivers, and chooses. */
void daxc_doctor_find_regions(Doctor *doctor);

/* The checks of a start, for what it is going to use. */
void daxc_doctor_judge_launcher(Doctor *doctor, const char *emulator, DaxcCheck *check);
void daxc_doctor_judge_apparmor(Doctor *doctor, DaxcCheck *check);
void daxc_doctor_judge_acl(Doctor *doctor, const char *const *devices, DaxcCheck *check);

/* daxc_doctor_check_start() with every path below @root; for tests. */
gboolean daxc_doctor_check_start_in(const char *root, const char *qemu_conf,
				    const char *emulator, const char *const *devices,
				    GError **error);

G_END_DECLS
