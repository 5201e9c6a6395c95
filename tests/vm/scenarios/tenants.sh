#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two tenants on colors of their own, a third that does not fit. libvirt as
# Debian ships it, AppArmor enforcing.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"

define red 2048 "$(tenant red)" cmdline='pattern=0xaaaa then=hang'
define blue 2048 "$(tenant blue)" cmdline='pattern=0xbbbb then=hang' machine=q35
check "a guest of tenant red starts" start red
check "a guest of tenant blue starts" start blue
check "red writes and reads back every page" says red 'daxcolor-guest: [0-9]+ pages ok'
check "blue writes and reads back every page" says blue 'daxcolor-guest: [0-9]+ pages ok'

red=$(colors_of red) blue=$(colors_of blue)
same "red has one color" 1 "$(wc -w <<<"$red")"
same "blue has one color" 1 "$(wc -w <<<"$blue")"
check "they share no color (red: $red; blue: $blue)" test "$red" != "$blue"
for guest in red blue; do
  same "$guest: its memory is dis-contiguous" 2 "$(extent_count "$guest")"
  check "$guest: every range begins on a 1 GiB boundary" starts_are_aligned "$guest"
  same "$guest: mapped with 1 GiB pages" 1048576 "$(page_size_of "$guest")"
  check "$guest: the ledger agrees with the kernel" agrees "$guest"
done
check "QEMU runs confined by AppArmor" \
  grep -q '^libvirt-.*(enforce)' "/proc/$(domain_pid red)/attr/current"
check "QEMU runs unprivileged" \
  test "$(stat -c %U "/proc/$(domain_pid red)")" = libvirt-qemu
refused "the device cgroup is in force" 'not permitted' in_cgroup_of red head -c 1 /dev/kmsg

# Colors 2 and 3 are free, 4 GiB. A tenant that wants 5 GiB does not fit.
define green 5120 "$(tenant green)"
before=$(kernel_instances)
refused "a third tenant that does not fit is refused, with what is free and needed" \
  'green.*5 GiB.*free.*held.*(red|blue)' start green
same "nothing of it is left in the kernel" "$before" "$(kernel_instances)"
same "nothing of it is left in the ledger" 2 "$(ledger_rows)"

destroy red
destroy blue
check "when both have stopped, nothing is held" comes_to_nothing
for guest in red blue green; do
  undefine "$guest"
done
finish
