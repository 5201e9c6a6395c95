#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# libvirt's hook on a simulated host: what it carves and takes back, and that
# it leaves other people's domains alone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

build=$(dirname "$DAXCOLOR")
gate=$build/daxcolor-qemu-hook
export DAXCOLOR_QEMU_HOOK="$build/qemu-hook"
# shellcheck disable=SC2154 # lib.sh sets work
export DAXCOLOR_SIMULATE=hosts/four.host DAXCOLOR_STATE_DIR="$work/state"

# hook NAME STATUS DOMAIN.xml OPERATION: its exit status; what it says is in out.
hook() {
	name=$1
	want=$2
	"$gate" guest "$4" begin - <"$3" >out 2>&1
	status=$?
	if [ "$status" = "$want" ]; then
		ok "$name"
	else
		echo "exit $status, not $want:"
		cat out
		not_ok "$name"
	fi
}

# holds NAME COUNT: so many carvings are in the ledger.
holds() {
	count=$("$DAXCOLOR" list --json | grep -c '"state" : "active"')
	if [ "$count" = "$2" ]; then
		ok "$1"
	else
		echo "$count carvings, not $2"
		not_ok "$1"
	fi
}

hook "prepare carves" 0 domains/enrolled.xml prepare
holds "prepare carves: the ledger has it" 1
hook "prepare again replaces it" 0 domains/enrolled.xml prepare
holds "prepare again replaces it: the ledger has one" 1
for operation in started stopped migrate restore reconnect attach something-new; do
	hook "$operation changes nothing" 0 domains/enrolled.xml $operation
	holds "$operation changes nothing: the ledger has one" 1
	if [ "$operation" = migrate ] || [ "$operation" = restore ]; then
		# libvirt would take it for the domain's new XML.
		if [ -s out ]; then not_ok "$operation prints nothing"; else ok "$operation prints nothing"; fi
	fi
done
# Somebody took the metadata away while the guest ran.
grep -v 'daxcolor:' domains/enrolled.xml >stripped.xml
hook "release needs no metadata" 0 stripped.xml release
holds "release needs no metadata: nothing is left" 0
hook "release of nothing" 0 domains/enrolled.xml release

sed "s/tenant=/tennant=/" domains/enrolled.xml >typo.xml
hook "a typo fails prepare" 1 typo.xml prepare
holds "a typo fails prepare: nothing is carved" 0
hook "a typo does not fail reconnect" 0 typo.xml reconnect
hook "a typo does not fail release" 0 typo.xml release
printf 'daxcolor' >garbage.xml
hook "garbage fails prepare" 1 garbage.xml prepare
hook "garbage does not fail release" 0 garbage.xml release

for operation in prepare reconnect release; do
	[ $operation = prepare ] && want=1 || want=0
	DAXCOLOR_STATE_DIR=/proc/nowhere hook "a state directory that cannot be made: $operation" \
		"$want" domains/enrolled.xml $operation
done

# Other people's domains cost nothing: not a library beyond libc, no file of
# ours, nothing of the kernel's.
if command -v strace >/dev/null; then
	strace -f -e trace=%file,%process -o trace "$gate" guest prepare begin - \
		<domains/plain.xml
	if grep -E 'ledger|/sys/|/etc/daxcolor|libdaxcolor|libglib' trace; then
		not_ok "a domain without our metadata: neither ledger nor sysfs is opened"
	else
		ok "a domain without our metadata: neither ledger nor sysfs is opened"
	fi
	if [ "$(grep -c execve trace)" = 1 ]; then
		ok "a domain without our metadata: nothing is executed"
	else
		not_ok "a domain without our metadata: nothing is executed"
	fi
fi

finish
