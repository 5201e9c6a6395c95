#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory of idle colors is the host's RAM, and comes back when guests start, while the host uses it. For dax_color and
# topology two-node: node 2 is 4 GiB of dax memory, two colors, and nothing else.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly NODE=2 NODE_START=$((0x200000000)) NODE_COLORS=2
install_guest "$1"
mkdir -p /etc/daxcolor
printf '[daxcolor]\nwait = 60\n' >/etc/daxcolor/daxcolor.conf

# eat MIB: has so much memory of node 2, again and again, until SIGTERM; exits 1 when it was not as it left it.
# eat MIB pin: has it once, and a page of it in standard output, a pipe.
gcc -O1 -o /tmp/eat -x c - <<'C' || exit 1
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <fcntl.h>
#include <unistd.h>
static volatile sig_atomic_t stop;
static void please_stop(int number) { (void)number; stop = 1; }
static char *have(size_t size)
{
	unsigned long nodes = 1 << 2;
	char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* MPOL_PREFERRED: it goes on elsewhere while the node is gone. */
	if (syscall(SYS_mbind, memory, size, 1, &nodes, 64UL, 0)) {
		munmap(memory, size);
		usleep(10000);
		return 0;
	}
	for (size_t at = 0; at < size; at += 4096)
		memset(memory + at, 0x5a, 64);
	return memory;
}
int main(int argc, char **argv)
{
	size_t size = strtoull(argv[1], 0, 0) << 20;
	struct iovec page = {0, 4096};
	signal(SIGTERM, please_stop);
	if (argc > 2) {
		page.iov_base = have(size);
		if (!page.iov_base || vmsplice(1, &page, 1, 0) != 4096)
			return 1;
	}
	while (argc > 2 && !stop)
		pause();
	while (!stop) {
		char *memory = have(size);
		for (size_t at = 0; memory && at < size; at += 4096)
			if (memory[at] != 0x5a || memory[at + 63] != 0x5a)
				return 1;
		if (memory)
			munmap(memory, size);
	}
	return 0;
}
C

# In MiB, as the host counts it.
mem_total() {
  awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo
}

# Bytes of node 2, 0 when it is offline.
node_total() {
  { cat /sys/devices/system/node/node$NODE/meminfo 2>/dev/null || :; } |
    awk '/MemTotal/ { bytes = $4 * 1024 } END { printf "%.0f\n", bytes }'
}

all_movable() {
  ! grep -v '^Movable' /sys/devices/system/node/node$NODE/memory*/valid_zones
}

lent() {
  daxcolor lend --json | jq .size
}

# colors_on_node NAME: of a guest's memory, by the geometry of node 2.
colors_on_node() {
  local instance start end at
  for instance in $(instances_of "$1"); do
    while read -r start end; do
      for ((at = start; at < end; at += GIB)); do
        printf '%d ' $(((at - NODE_START) / GIB % NODE_COLORS))
      done
    done < <(extents_of "$instance")
  done | sed 's/ $//'
}

# follows LENT WHAT: the host's memory is what it was at first, and what is lent.
follows() {
  local total
  same "$2: so much is lent" "$1" "$(lent)"
  same "$2: node $NODE has exactly that" "$1" "$(node_total)"
  total=$(mem_total)
  check "$2: and so has MemTotal" test $((total - before)) = $(($1 >> 20))
}

for color in 0 1; do
  define "on$color" 512 "$(tenant "t$color" "<daxcolor:cell id='0' node='$NODE' list='$color'/>")" cmdline='then=hang'
done
before=$(mem_total)
# As some kernels have it by themselves: new memory is to be online at once, where the kernel uses it itself.
echo online >/sys/devices/system/memory/auto_online_blocks

refused "memory beside other memory of its node is not lent" 'other memory' daxcolor lend 0 --node 1
check "nothing is left of that" nothing_left
check "two colors are lent" daxcolor lend 0-1 --node $NODE
follows $((4 * GIB)) "lent"
check "it is movable, all of it" all_movable
refused "they are not lent twice" 'lent already' daxcolor lend 1 --node $NODE
check "the audit has nothing to say" daxcolor audit
check "nor has recovery anything to do" test "$(daxcolor recover --json | jq '.done | length')" = 0

/tmp/eat 256 &
eater=$!
rounds=2
[ -z "${DAXCOLOR_LONG:-}" ] || rounds=10
for ((round = 1; round <= rounds; round++)); do
  check "round $round: a guest starts on what was lent" start on0
  same "round $round: it has its color" 0 "$(colors_on_node on0)"
  follows $((2 * GIB)) "round $round, one guest"
  check "round $round: another one" start on1
  same "round $round: it has its color" 1 "$(colors_on_node on1)"
  follows 0 "round $round, two guests"
  check "round $round: both write and read back every page" says on0 'daxcolor-guest: [0-9]+ pages ok'
  check "round $round: both do" says on1 'daxcolor-guest: [0-9]+ pages ok'
  check "round $round: the audit has nothing to say" daxcolor audit
  refused "round $round: their colors are not lent" 'tenant t0 has it' daxcolor lend 0 --node $NODE
  destroy on1
  check "round $round: the second one's is lent again" daxcolor lend 1 --node $NODE
  follows $((2 * GIB)) "round $round, lent again"
  destroy on0
  check "round $round: and the first one's" daxcolor lend 0 --node $NODE
  follows $((4 * GIB)) "round $round, both lent again"
done
kill -TERM "$eater"
wait "$eater"
same "who used the memory has lost nothing" 0 "$?"

# Killed while it takes back: the next one ends that, a guest's start too.
daxcolor reclaim 0 --node $NODE &
reclaimer=$!
sleep 0.3
kill -KILL "$reclaimer" 2>/dev/null
wait "$reclaimer" 2>/dev/null
check "after a reclaim that was killed, recovery ends it" daxcolor recover
check "ledger and kernel agree" explained
check "and a guest starts" start on0
destroy on0
check "all is taken back" daxcolor reclaim --all
follows 0 "taken back"
check "nothing is held" comes_to_nothing

# A page that cannot be moved: the guest is refused in time, with a sentence, and the host keeps all.
printf '[daxcolor]\nwait = 3\n' >/etc/daxcolor/daxcolor.conf
check "one color is lent" daxcolor lend 0 --node $NODE
mkfifo /tmp/pages
exec 8<>/tmp/pages
/tmp/eat 16 pin >&8 &
eater=$!
sleep 2
began=$SECONDS
refused "a guest is not started on what the host cannot give back" 'did not give it back in time' start on0
check "it is told soon ($((SECONDS - began)) s)" test $((SECONDS - began)) -lt 30
follows $((2 * GIB)) "still lent"
check "the audit has nothing to say" daxcolor audit
kill -TERM "$eater"
wait "$eater"
exec 8>&-
check "then it is" start on0
follows 0 "taken back for a guest"
destroy on0
undefine on0
undefine on1

# A copy of the ledger in persistent data of node 2: a ledger that is lost comes back with the guests that run.
echo 1 >/sys/bus/platform/devices/hmem.1/dax_region/create
store=$(</sys/bus/platform/devices/hmem.1/dax_region/create)
echo $GIB >$DEVICES/$store/size
check "an instance keeps persistent data" eval "echo kmem-persist blob >$DEVICES/$store/mode"
printf '[daxcolor]\nledger_copy = /dev/blob-%s\n' "$store" >/etc/daxcolor/daxcolor.conf
define kept 512 "$(tenant red "<daxcolor:cell id='0' node='1'/>")" cmdline='then=hang'
check "a guest starts, and the ledger is copied" start kept
instance=$(instances_of kept)
rm -rf /var/lib/daxcolor
check "the ledger is lost, and comes back" daxcolor recover
same "with the guest" "$instance" "$(daxcolor list --json | jq -r '.carvings[].instance')"
same "whose state is as it was" active "$(ledger 'SELECT state FROM carving')"
destroy kept
undefine kept
check "its memory comes back" wait_for 30 eval '[ "$(ledger_rows)" = 0 ]'
rm /etc/daxcolor/daxcolor.conf
echo devdax >$DEVICES/$store/mode
echo 0 >$DEVICES/$store/size
echo "$store" >/sys/bus/platform/devices/hmem.1/dax_region/delete
check "nothing is held at the end" comes_to_nothing
# The kernel says so of each page that somebody is using when its block is to go, and tries again.
same "the kernel complains of nothing but pages in use" "" \
  "$(kernel_complaints | grep -Ev 'page dumped because: (migration failure|isolation failed)$')"
[ "$failures" = 0 ]
