#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: bench.sh BENCH-DRIVER
#
# The part of ./dev bench for the driver: mainline's device-dax first, then dax_color, in the same boot.
set -euo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=20
load_dax
declare -A theirs ours
while read -r name value; do
  theirs[$name]=$value
done < <("$1" mainline "$rounds")
unload_dax
load_driver
while read -r name value; do
  ours[$name]=$value
done < <("$1" dax_color "$rounds")

# compare NAME UNIT WHAT
compare() {
  awk -v what="$3" -v unit="$2" -v ours="${ours[$1]}" -v theirs="${theirs[$1]}" 'BEGIN {
    printf "%-44s %10s %s  (yardstick: mainline)\n", what, theirs, unit
    printf "%-44s %10s %s  %6.2f times\n", "", ours, unit, theirs > 0 ? ours / theirs : 0 }'
}

compare carve ms "create and enable 2 x 1 GiB, zeroing aside"
compare release ms "release 2 x 1 GiB, zeroing aside"
for align in 1G 2M 4K; do
  compare "struct-pages-$align" kB "struct pages for 8 GiB, align $align"
  compare "page-tables-$align" kB "page tables for 8 GiB, align $align"
done
awk -v user="${ours[zero-user]}" -v kernel="${ours[zero-kernel]}" 'BEGIN {
  printf "%-44s %10s GiB/s  (yardstick: memset of what is mapped)\n", "zero 1 GiB: a process", user
  printf "%-44s %10s GiB/s  %6.2f times\n", "zero 1 GiB: the kernel, with release", kernel, kernel / user }'
