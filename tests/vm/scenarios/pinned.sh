#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory that somebody keeps pinned when it is given back (here: a page in a pipe): nobody gets it, nor
# its color, and everything else goes on. For dax_color; mainline waits for no pins.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "$DAXCOLOR_BACKEND" = mainline ]; then
  exit 0
fi
readonly MIB=$((1 << 20))

# Puts the page at an offset of a device into its standard output, a pipe, and ends. The page is 2 MiB.
gcc -o /tmp/pin -x c - <<'C' || exit 1
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
int main(int argc, char **argv)
{
	size_t offset = strtoull(argv[2], 0, 0), size = offset + (2 << 20), align = 2 << 20;
	char *at = mmap(0, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec page = {0, 4096};
	at = (char *)(((unsigned long)at + align - 1) & ~(align - 1));
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, open(argv[1], O_RDWR), 0) == MAP_FAILED)
		return 1;
	at[offset] = 1;
	page.iov_base = at + offset;
	return vmsplice(1, &page, 1, 0) != 4096;
}
C

# Granules of 2 MiB in four colors: color 0 is at 0, 8 MiB, 16 MiB, ... of the region.
mkdir -p /etc/daxcolor
printf '[daxcolor]\n[cache 1]\ngranule = 2MiB\ncolors = 4\nbase = %d\n' $REGION_START >/etc/daxcolor/daxcolor.conf

# carve_on NAME TENANT SIZE COLORS
carve_on() {
  daxcolor carve --size "$3" --tenant "$2" --node 1 --color-list "$4" --name "$1" --uuid "$(uuid_of "$1")"
}

# starts_of: of the only instance's ranges, from the region's start, in MiB.
starts_of() {
  extents_of "$(kernel_instances | tr -d ' ')" | while read -r start _; do
    printf '%d ' $(((start - REGION_START) / MIB))
  done
}

quarantined() {
  daxcolor regions --json | jq '.regions[0].quarantined'
}

quarantined_is() {
  [ "$(quarantined)" = "$1" ]
}

check "a tenant has four granules of color 0" carve_on first red 8M 0
same "they are the first four" "0 8 16 24 " "$(starts_of)"
same "the kernel keeps colors apart" true "$(daxcolor regions --json | jq '.regions[0].enforced')"
mkfifo /tmp/pipe
# Both ends are open here, so that nobody reads what is in it, and it stays.
exec 8<>/tmp/pipe
pin() {
  /tmp/pin "/dev/$(kernel_instances | tr -d ' ')" "$1" >&8
}
check "a page of the second is in a pipe" pin $((2 * MIB))
check "the tenant's memory is given back all the same" daxcolor release first
check "one granule is quarantined" wait_for 10 quarantined_is $((2 * MIB))
check "the doctor says so" bash -c "daxcolor doctor | grep '2 MiB that were given back are still pinned'"
same "no instance has it" "" "$(kernel_instances)"
check "the audit has nothing to say" daxcolor audit

refused "another tenant does not get the color, and is told why" 'still pinned.*red' carve_on second blue 8M 0
check "it gets another color" carve_on second blue 8M 1
check "that is given back" daxcolor release second
check "the same tenant gets the color" carve_on first red 8M 0
same "without the granule" "0 16 24 32 " "$(starts_of)"
check "that is given back, too" daxcolor release first
check "scrub does not wait for it" timeout 120 daxcolor scrub
same "what is not certain is not called clean" 0 \
  "$(ledger "SELECT count(*) FROM granule WHERE state = 'clean' AND start = $((REGION_START + 8 * MIB))")"
check "what is certain is" test "$(ledger "SELECT count(*) FROM granule
  WHERE state = 'clean' AND start / $((2 * MIB)) % 4 <> 0")" = 3072

exec 8>&-
check "when the pipe is closed it is free" wait_for 10 quarantined_is 0
check "another tenant gets the color" carve_on second blue 8M 0
same "and the granule" "0 8 16 24 " "$(starts_of)"
check "it is given back" daxcolor release second
rm /etc/daxcolor/daxcolor.conf
check "nothing is held" comes_to_nothing
finish
