#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# KVM in the virtual host: a guest on colors is mapped with 1 GiB nested entries,
# and a Linux guest reaches its init. For --nested.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"
cp "$2" "$BOOT_FILES/vmlinuz"
cp "$3" "$BOOT_FILES/initrd"
chmod 0644 "$BOOT_FILES"/*

nested_1g() {
  cat /sys/kernel/debug/kvm/pages_1g
}

has_nested_1g() {
  [ "$(nested_1g)" -ge "$1" ]
}

define payload 2048 "$(tenant red)" type=kvm machine=q35 cmdline='then=check'
check "a KVM guest starts" start payload
check "it writes and reads back every page" says payload 'daxcolor-guest: [0-9]+ pages ok' 300
same "mapped with 1 GiB pages" 1048576 "$(page_size_of payload)"
check "KVM maps it with 1 GiB entries (pages_1g)" wait_for 30 has_nested_1g 1
printf '# pages_1g: %s\n' "$(nested_1g)"

define linux 2048 "$(tenant blue)" type=kvm machine=q35 kernel="$BOOT_FILES/vmlinuz" \
  initrd="$BOOT_FILES/initrd" cmdline='console=ttyS0 no_timer_check panic=-1 then=hang'
check "a Linux guest of another tenant starts" start linux
check "it reaches its init" says linux 'daxcolor-guest: linux init reached' 300
check "they share no color" test "$(colors_of payload)" != "$(colors_of linux)"
destroy payload
destroy linux
check "everything comes back" comes_to_nothing 60
undefine payload
undefine linux
finish
