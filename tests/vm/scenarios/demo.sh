#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, as an administrator does it: ./dev demo runs this in the virtual
# host. Each command is shown before its output.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }

run() {
  printf '\033[32m$ %s\033[0m\n' "$*"
  "$@"
}

# What the kernel says of a guest's memory; daxcolor is not asked.
proof() {
  local instance start end
  for instance in $(instances_of "$1"); do
    while read -r start end; do
      printf '  %s: %s 0x%x-0x%x, color %d\n' "$1" "$instance" "$start" "$end" \
        $(((start - REGION_START) / GIB % COLORS))
    done < <(extents_of "$instance")
  done
  printf '  %s: KernelPageSize %s kB\n' "$1" "$(page_size_of "$1")"
}

install_guest "$1"

say "This host has 8 GiB of memory behind a direct-mapped cache of 4 GiB: four colors."
run daxcolor regions
run daxcolor map

say "Two ordinary guests, of two tenants."
for guest in web db; do
  define "$guest" 2048 '' machine=q35 backing='' emulator=/usr/bin/qemu-system-x86_64 \
    cmdline='then=hang'
done
run daxcolor enroll web --tenant acme --yes
run daxcolor enroll db --tenant globex --yes
run virsh -q start web
run virsh -q start db
check "web wrote and read back every page of its memory" says web 'pages ok'
check "db wrote and read back every page of its memory" says db 'pages ok'

say "Who holds what:"
run daxcolor map
run daxcolor list

say "The same from the kernel, by sysfs and smaps:"
proof web
proof db
check "the two tenants share no color" test "$(colors_of web)" != "$(colors_of db)"

say "A third tenant that wants more than what is left is refused, and told why."
define big 5120 '' machine=q35 backing='' emulator=/usr/bin/qemu-system-x86_64
run daxcolor enroll big --tenant initech --yes >/dev/null
run virsh -q start big && failures=1

say "When guests stop, everything they held comes back."
run virsh -q destroy web
run virsh -q destroy db
check "nothing is held" comes_to_nothing
run daxcolor map
finish
