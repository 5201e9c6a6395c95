#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each piece of the installation taken away in turn: the doctor names it, and a
# start fails with a sentence that says so.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"

# doctor_names REGEX: something is broken, and it is this.
doctor_names() {
  local output
  output=$(daxcolor doctor 2>&1) && return 1
  grep -Eq "$1" <<<"$output" || { printf '%s\n' "$output"; return 1; }
}

doctor_is_content() {
  daxcolor doctor
}

define guest 512 "$(tenant red)" cmdline='then=hang'
check "with all in place the doctor is content" doctor_is_content
check "with all in place a guest starts" start guest
destroy guest

readonly CONF=/etc/libvirt/qemu.conf APPARMOR=/etc/apparmor.d/local/abstractions/libvirt-qemu
readonly HOOK=/etc/libvirt/hooks/qemu.d/daxcolor LAUNCHER=/usr/bin/daxcolor-qemu-system-x86_64

cp "$CONF" /tmp/qemu.conf
sed -i 's/^cgroup_device_acl/#&/; /^#cgroup_device_acl/,/^\]/s/^[^#]/#&/' "$CONF"
check "cgroup_device_acl lacks the devices: the doctor says so" doctor_names cgroup_device_acl
refused "cgroup_device_acl lacks the devices: the start says so" cgroup_device_acl start guest
cp /tmp/qemu.conf "$CONF"

cp "$APPARMOR" /tmp/libvirt-qemu
: >"$APPARMOR"
check "AppArmor lacks our line: the doctor says so" doctor_names AppArmor
refused "AppArmor lacks our line: the start says so" AppArmor start guest
cp /tmp/libvirt-qemu "$APPARMOR"

mv "$HOOK" /tmp/hook
restart_libvirtd
check "the hook is missing: the doctor says so" doctor_names "$HOOK"
refused "the hook is missing: the start fails, from the launcher" 'hook' start guest
mv /tmp/hook "$HOOK"
check "the daemon has not seen the hook: the doctor says so" doctor_names 'restart'
restart_libvirtd

mv "$LAUNCHER" /tmp/launcher
check "the launcher is missing: the doctor says so" doctor_names "$LAUNCHER"
refused "the launcher is missing: the start fails" "$LAUNCHER" start guest
mv /tmp/launcher "$LAUNCHER"

unload_dax
check "the modules are not loaded: the doctor says so" doctor_names 'dax_hmem'
refused "the modules are not loaded: the start says so" 'dax_hmem' start guest
load_dax

check "with all back in place a guest starts" start guest
destroy guest
check "nothing is held" comes_to_nothing
undefine guest
finish
