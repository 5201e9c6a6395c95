/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's qemu.conf: the few settings that decide whether a guest can use an
 * instance, and the one of them that we may extend. Read through augeas with a
 * lens of our own, which takes all that libvirt's parser takes.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DAXC_DEFAULT_QEMU_CONF "/etc/libvirt/qemu.conf"

/**
 * DaxcQemuConf:
 * @memory_backing_dir: where libvirt makes a domain's memory directory, with
 *   the "/libvirt/qemu" that libvirt appends to a configured one
 * @user: (nullable): user of QEMU processes, as written; NULL: libvirt's own
 *   default, which differs between distributions
 * @security_drivers: (nullable): NULL: libvirt probes
 * @controllers: (nullable): NULL: every controller that the host has
 * @device_acl: devices that every guest may open; libvirt's default when the
 *   file sets none
 * @device_acl_set: the file sets it
 */
typedef struct {
	char *memory_backing_dir;
	char *user;
	char **security_drivers;
	char **controllers;
	char **device_acl;
	gboolean device_acl_set;
} DaxcQemuConf;

void daxc_qemu_conf_free(DaxcQemuConf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcQemuConf, daxc_qemu_conf_free)

/**
 * daxc_qemu_conf_load:
 * @path: qemu.conf; a missing file means all defaults, as it does to libvirt
 *
 * Fails with DAXC_ERROR_INVALID, naming file and line, when libvirt would not
 * understand the file either, and with DAXC_ERROR_FAILED when it or our lens
 * cannot be read.
 */
DaxcQemuConf *daxc_qemu_conf_load(const char *path, GError **error);

/* Returns: whether libvirt, as configured, keeps guests from devices that are
 * not in device_acl, on a host whose cgroups can do that. */
gboolean daxc_qemu_conf_uses_devices(const DaxcQemuConf *conf);

/* Returns: whether libvirt, as configured, may confine guests with @driver. */
gboolean daxc_qemu_conf_uses_driver(const DaxcQemuConf *conf, const char *driver);

/* Returns: whether every guest may open @device ("/dev/dax0.1"). */
gboolean daxc_qemu_conf_allows(const DaxcQemuConf *conf, const char *device);

/**
 * daxc_qemu_conf_allow:
 * @devices: paths, NULL-terminated
 * @changed: (out): FALSE when the file had them all
 *
 * Adds what is missing to cgroup_device_acl. Where the file sets none, it gets
 * libvirt's default first, as the comment in the shipped file has it. The rest
 * of the file stays as it is, byte for byte; it is replaced at once or not at
 * all, and a copy of the old one is left beside it, as @path.daxcolor-old.
 * libvirt reads it when its daemon starts.
 */
gboolean daxc_qemu_conf_allow(const char *path, const char *const *devices,
			      gboolean *changed, GError **error);

G_END_DECLS
