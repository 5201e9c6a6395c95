#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All the ways a guest ends, or does not begin: afterwards ledger and kernel agree.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"

define guest 512 "$(tenant red)" cmdline='then=hang'

# As after a power cut, which takes no directory away.
for id in {1..30}; do
  mkdir -p "/var/lib/libvirt/qemu/ram/$id-left" "/var/lib/libvirt/qemu/ram/$id-gues"
done
check "directories of a crashed host are in nobody's way" start guest
rmdir /var/lib/libvirt/qemu/ram/*-left /var/lib/libvirt/qemu/ram/*-gues
check "destroy: the guest ends" destroy guest
check "destroy: everything comes back" comes_to_nothing

define leaves 512 "$(tenant red)" cmdline='then=poweroff'
check "poweroff: the guest starts" start leaves
check "poweroff: the guest ends by itself" wait_domain leaves 'shut off' 120
check "poweroff: everything comes back" comes_to_nothing

start guest
kill -KILL "$(domain_pid guest)"
check "kill -9 of QEMU: libvirt notices" wait_domain guest 'shut off' 30
check "kill -9 of QEMU: everything comes back" comes_to_nothing

# QEMU finds that its disk is none, long after `prepare` has carved.
printf 'QFI\373\0\0\0\143' >"$BOOT_FILES/broken.qcow2"
truncate -s 64K "$BOOT_FILES/broken.qcow2"
define fails 512 "$(tenant red)" extra="<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/><source file='$BOOT_FILES/broken.qcow2'/>
  <target dev='vda' bus='virtio'/></disk>"
refused "a start that fails after prepare: QEMU's own reason is shown" 'qcow2' start fails
check "a start that fails after prepare: everything comes back" comes_to_nothing

start guest
says guest 'pages ok'
check "managedsave: the guest is saved" virsh -q -c "$URI" managedsave guest
check "managedsave: everything comes back" comes_to_nothing
check "managedsave: it starts again" virsh -q -c "$URI" start guest
check "managedsave: ledger and kernel agree" agrees guest
same "managedsave: one carving" 1 "$(ledger_rows)"

pid=$(domain_pid guest)
restart_libvirtd
check "libvirtd restarts: the guest still runs" wait_domain guest running 30
same "libvirtd restarts: it is the same process" "$pid" "$(domain_pid guest)"
check "libvirtd restarts: ledger and kernel agree" agrees guest
stop_libvirtd
kill -KILL "$pid"
start_libvirtd
check "QEMU dies while libvirtd is down: everything comes back" comes_to_nothing

start guest
stop_libvirtd
check "a held instance is not released" \
  bash -c "! daxcolor release '$(uuid_of guest)' && daxcolor release '$(uuid_of guest)' 2>&1 | grep -q qemu-system"
check "the guest still runs" kill -0 "$(domain_pid guest)"
start_libvirtd
destroy guest
check "it comes back when the guest ends" comes_to_nothing

for domain in guest leaves fails; do
  undefine "$domain"
done
finish
