#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A page fails under a process, under a guest, and in what the administrator lists:
# exactly its granule is bad from then on, the rest goes on being used.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"
readonly CORRUPT=/sys/kernel/debug/hwpoison/corrupt-pfn

# fail_page ADDRESS: as the machine's own report of an uncorrectable error would.
fail_page() {
  printf '0x%x' $(($1 / 4096)) >"$CORRUPT"
}

# Starts of bad granules, in hexadecimal.
bad_granules() {
  ledger "SELECT printf('0x%x', start) FROM granule WHERE state = 'bad' ORDER BY start" | tr '\n' ' '
}

doctor_says() {
  local output
  output=$(daxcolor doctor 2>&1)
  grep -E "$1" <<<"$output" || { printf '%s\n' "$output"; return 1; }
}

# carve_on NAME SIZE COLORS
carve_on() {
  daxcolor carve --size "$2" --tenant "$1" --node 1 --color-list "$3" --name "$1" --uuid "$(uuid_of "$1")"
}

# lacks RANGES ADDRESS
lacks() {
  local start end
  while read -r start end; do
    (($2 < start || $2 > end)) || return 1
  done <<<"$1"
}

small_granules 64
modprobe hwpoison-inject
check "nothing has failed, says the doctor" doctor_says 'ok .*no granule is bad'

# Colors 0 and 1: ranges from 4 GiB and from 8 GiB. The page is in the second one.
readonly PROCESS_PAGE=$((0x204123000)) GUEST_PAGE=$((0x20a321000))
check "a process gets 256 MiB in two ranges" carve_on first 256M 0,1
instance=$(kernel_instances | tr -d ' ')
same "two ranges" 2 "$(extents_of "$instance" | wc -l)"
fail_page $PROCESS_PAGE
printf '# %s\n' "$(dmesg | grep 'Memory failure' | tail -n 1)"
check "recover reads of it in the kernel's log" daxcolor recover
same "exactly its granule is bad" "0x204000000 " "$(bad_granules)"
check "the doctor says so" doctor_says 'memory of 1 granule failed'
same "the process keeps what it has" 1 "$(ledger_rows)"
daxcolor release "$(uuid_of first)" >/dev/null
same "colors says so" 1 "$(daxcolor colors --json | jq '[.. | objects | .bad? | numbers] | add')"
same "it is bad when nobody has it, too" "0x204000000 " "$(bad_granules)"
refused "its color has no room for as much again" 'bad|free|needs' carve_on second 256M 0,1
check "the rest can be had" carve_on second 192M 0,1
check "without the page" lacks "$(extents_of "$(kernel_instances | tr -d ' ')")" $PROCESS_PAGE
daxcolor release "$(uuid_of second)" >/dev/null

define guest 256 "$(tenant red "<daxcolor:cell id='0' list='2,3'/>")" cmdline='then=hang'
check "a guest starts" start guest
check "it works" says guest 'daxcolor-guest: [0-9]+ pages ok.?$'
fail_page $GUEST_PAGE
if wait_domain guest 'shut off' 3; then
  echo "# QEMU did not survive it"
else
  echo "# QEMU goes on"
  destroy guest
fi
check "what it had comes back" comes_to_nothing
check "scrub reads of it in the kernel's log, and zeroes the rest" daxcolor scrub
same "exactly its granule is bad, and the other one still" "0x204000000 0x208000000 " "$(bad_granules)"
same "everything else is clean" 14 "$(ledger "SELECT count(*) FROM granule WHERE state = 'clean'")"
refused "a guest that needs it does not start, and is told why" 'bad|free|needs' start guest
undefine guest
define guest 192 "$(tenant red "<daxcolor:cell id='0' list='2,3'/>")" cmdline='then=hang'
check "a guest that does not need it starts" start guest
check "it works" says guest 'daxcolor-guest: [0-9]+ pages ok.?$'
check "without the page" lacks "$(extents_of "$(kernel_instances | tr -d ' ')")" $GUEST_PAGE
destroy guest

# Root's programs may write what they like to the log.
echo '<3>Memory failure: 0x100999: recovery action for dax page: Recovered' >/dev/kmsg
check "what a program writes to the log" daxcolor recover
same "is not believed" "0x204000000 0x208000000 " "$(bad_granules)"
small_granules 64 "bad = 0x110000000-0x110000fff"
check "memory that the administrator lists" daxcolor recover
same "is bad" "0x110000000 0x204000000 0x208000000 " "$(bad_granules)"
rm /etc/daxcolor/daxcolor.conf
small_granules 64
daxcolor recover
same "and stays so" "0x110000000 0x204000000 0x208000000 " "$(bad_granules)"
check "nothing is held" comes_to_nothing
undefine guest
finish
