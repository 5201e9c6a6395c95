#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two tenants on colors of their own; a third that does not fit; a second guest
# of the first. libvirt as Debian ships it, AppArmor enforcing.
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

define red2 1024 "$(tenant red)" cmdline='then=hang'
destroy red
check "red's memory comes back" wait_for 30 test "$(ledger_rows)" = 1
check "a smaller guest of red starts" start red2
define red3 1024 "$(tenant red)" cmdline='then=hang'
check "a second guest of red starts" start red3
same "tenant red's guests share its color" "$(colors_of red2)" "$(colors_of red3)"
check "that is still not blue's" test "$(colors_of red3)" != "$blue"

define list 2048 "$(tenant yellow "<daxcolor:cell id='0' colors='2'/>")" machine=q35
check "a guest that wants two colors starts" start list
same "it has two" 2 "$(colors_of list | wc -w)"
define taken 1024 "$(tenant violet "<daxcolor:cell id='0' list='$blue'/>")"
refused "a color that another tenant has is refused" "color $blue.*blue" start taken

for guest in red2 red3 blue list; do
  destroy "$guest"
done
check "when all have stopped, nothing is held" comes_to_nothing

define small 514 "$(tenant small)" cmdline='then=hang'
check "a guest of 514 MiB starts" start small
check "it writes and reads back every page" says small 'daxcolor-guest: [0-9]+ pages ok'
same "mapped with 2 MiB pages" 2048 "$(page_size_of small)"
destroy small
define tiny 1024 "$(tenant tiny)" machine=microvm cmdline='then=hang'
check "a microvm starts" start tiny
check "it writes and reads back every page" says tiny 'daxcolor-guest: [0-9]+ pages ok'
same "mapped with 1 GiB pages" 1048576 "$(page_size_of tiny)"
destroy tiny
check "nothing is held" comes_to_nothing

for guest in red red2 red3 blue green list taken small tiny; do
  undefine "$guest"
done
finish
