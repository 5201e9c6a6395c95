#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What people and programs hand us that is wrong: a clear error, nothing changed.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"
readonly HOOK=/etc/libvirt/hooks/qemu.d/daxcolor

# refuses_start WHAT REGEX SIZE METADATA [OPTION=VALUE...]
refuses_start() {
  local what=$1 regex=$2
  shift 2
  define victim "$@"
  refused "$what: the start fails and says why" "$regex" start victim
  check "$what: nothing changed" nothing_left
  undefine victim
}

# hook_refuses WHAT REGEX: libvirt would not write this document; the hook must
# bear it all the same. Domain XML on stdin.
hook_refuses() {
  refused "$1: the hook fails and says why" "$2" "$HOOK" victim prepare begin -
  check "$1: nothing changed" nothing_left
}

refuses_start "an attribute with a typo" 'tennant' 512 \
  "<daxcolor:memory xmlns:daxcolor='urn:daxcolor:domain:1' tennant='red'/>"
refuses_start "an element with a typo" 'sell' 512 "$(tenant red "<daxcolor:sell id='0'/>")"
refuses_start "another version of the namespace" 'urn:daxcolor:domain:2' 512 \
  "<daxcolor:memory xmlns:daxcolor='urn:daxcolor:domain:2' tenant='red'/>"
refuses_start "a color that does not exist" 'color 9' 512 \
  "$(tenant red "<daxcolor:cell id='0' list='9'/>")"
refuses_start "a node that does not exist" 'node 7' 512 \
  "$(tenant red "<daxcolor:cell id='0' node='7'/>")"
refuses_start "a negative number" '"?-1"?' 512 "$(tenant red "<daxcolor:cell id='0' colors='-1'/>")"
refuses_start "more colors than granules" 'color' 512 \
  "$(tenant red "<daxcolor:cell id='0' colors='3'/>")"
refuses_start "an impossible size" '(free|needs)' 1048576 "$(tenant red)"
refuses_start "no file-backed memory" 'memoryBacking' 512 "$(tenant red)" backing=
refuses_start "an emulator that is not the launcher" 'daxcolor-qemu' 512 "$(tenant red)" \
  emulator=/usr/bin/qemu-system-x86_64

domain victim 513 "$(tenant red)" | hook_refuses "a size that is no multiple of 2 MiB" '2 MiB'
domain victim 512 "$(tenant red)" | head -c 700 | hook_refuses "a truncated document" 'XML'
hook_refuses "an XML bomb" '(DOCTYPE|entit|DTD)' <<'XML'
<!DOCTYPE domain [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<domain type='qemu' id='1'><name>daxcolor</name><title>&c;</title></domain>
XML
printf 'daxcolor' | hook_refuses "something that is not XML" 'XML'

define victim 512 "$(tenant red)"
mkdir -p /var/lib/daxcolor
saved=$(mktemp -d)
mv /var/lib/daxcolor "$saved/state"
mkdir -m 0700 /var/lib/daxcolor
cp "$saved/state/ledger.db" /var/lib/daxcolor
sqlite3 /var/lib/daxcolor/ledger.db 'PRAGMA user_version = 99'
chmod 0600 /var/lib/daxcolor/ledger.db
sum=$(sha256sum /var/lib/daxcolor/ledger.db)
refused "a ledger from the future is refused" 'newer' start victim
same "and not touched" "$sum" "$(sha256sum /var/lib/daxcolor/ledger.db)"
head -c 8192 /dev/urandom >/var/lib/daxcolor/ledger.db
refused "a ledger that is none is refused" 'ledger' start victim
rm -rf /var/lib/daxcolor
mkdir -m 0700 /var/lib/daxcolor
mount -t tmpfs -o ro,mode=0700 tmpfs /var/lib/daxcolor
refused "a state directory that cannot be written is refused" 'read-only|Read-only' start victim
umount /var/lib/daxcolor
rmdir /var/lib/daxcolor
mv "$saved/state" /var/lib/daxcolor
check "with its ledger back, the guest starts" start victim
destroy victim
check "nothing is held" comes_to_nothing
undefine victim
finish
