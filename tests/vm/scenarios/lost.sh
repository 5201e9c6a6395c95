#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ledger is lost, or an old copy, while guests run; memory is zeroed behind
# guests; colors are reserved.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly LEDGER=/var/lib/daxcolor/ledger.db RAM=/var/lib/libvirt/qemu/ram

install_guest "$1"

# count_of WHAT: granules of the only node.
count_of() {
  daxcolor colors --all --json | jq "[.colors[].$1] | add"
}

tenants() {
  daxcolor list --json | jq -r '[.carvings[] | .domain + "=" + .tenant] | sort | join(" ")'
}

define red 1024 "$(tenant red)"
define blue 1024 "$(tenant blue)"
define green 1024 "$(tenant green)"
start red
start blue
rm -f "$LEDGER"*
same "without a ledger nothing is known" "" "$(tenants)"
same "two instances are nobody's" 2 "$(daxcolor list --json | jq '.foreign | length')"
check "another tenant's guest starts" start green
check "it is on neither's color" \
  test "$(colors_of red)" != "$(colors_of green)" -a "$(colors_of blue)" != "$(colors_of green)"
check "recover asks libvirt" daxcolor recover
same "all guests are known again" "blue=blue green=green red=red" "$(tenants)"
check "ledger and kernel agree on red" agrees red
check "ledger and kernel agree on blue" agrees blue
check "the audit has nothing to say" daxcolor audit
destroy red
same "it is released like any other" "blue=blue green=green" "$(tenants)"

# What a reset leaves behind: a node with a number that is another guest's now.
blue_node=$(find "$RAM" -path '*-blue/*' -type c)
mkdir "$RAM/77-gone"
cp -a "$blue_node" "$RAM/77-gone/daxcolor.cell0"
check "recover finds a stale node" bash -c "daxcolor recover | grep '77-gone/daxcolor.cell0.*removed'"
same "and removes only that" "$blue_node" "$(find "$RAM" -path '*blue*' -type c)"
rmdir "$RAM/77-gone"
destroy blue
destroy green
check "everything comes back" comes_to_nothing

check "what guests leave is zeroed later" test "$(count_of dirty)" -gt 0
check "scrub" daxcolor scrub
same "nothing is dirty any more" 0 "$(count_of dirty)"
check "no instance is left" comes_to_nothing
cp "$LEDGER" /root/backup.db
start red
destroy red
check "a guest's memory is dirty after it" test "$(count_of dirty)" = 1
cp /root/backup.db "$LEDGER"
check "an old copy of the ledger is noticed" \
  bash -c "daxcolor recover | grep 'older than what this host has done'"
check "and not believed" test "$(count_of dirty)" = 8

check "colors are reserved" daxcolor reserve gold --colors 3
check "one tenant gets the last color" start red
refused "the next is refused, and told why" 'reserved for tenant gold' start blue
check "reservations outlive the boot id" bash -c \
  "sqlite3 '$LEDGER' \"UPDATE boot SET id = 'before'\" && daxcolor recover --boot"
same "they are all there" 3 "$(daxcolor reserve --json | jq '.reservations[0].colors | length')"
destroy red
check "they are given up" daxcolor reserve gold --drop
check "everything comes back at the end" comes_to_nothing

for guest in red blue green; do
  undefine "$guest"
done
finish
