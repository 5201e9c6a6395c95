#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# audit: silent on a healthy host, a line for each breach, the certificate.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

four="--simulate hosts/four.host --state-dir four"
node="--connect test:///$work/domains/testnode.xml"
enrolled=00000000-0000-4000-8000-0000000000bb

# What differs from host to host and from run to run.
filter() {
	sed -e "s|$work|WORK|g" \
		-e 's/\("host" : \)".*"/\1"HOST"/' \
		-e 's/\("time" : \)"20..-..-..T..:..:..Z"/\1"TIME"/' \
		-e 's/\("kernel" : \)".*"/\1"KERNEL"/' \
		-e 's/\("daxcolor" : \)".*"/\1"VERSION"/'
}

# held INSTANCE WHO: from now on WHO has the instance open.
held() {
	sed -i "/^\[$1\]/a holder=$2" four/simulated-kernel
}

# An option of the host is a word of its own.
# shellcheck disable=SC2086
{
	golden audit-empty.txt $four audit
	quietly $four carve --size 1G --color-list 0 --tenant acme --name enrolled \
		--uuid $enrolled
	golden audit.txt $four audit
	golden audit-not-mapped.txt $four audit $node
	held dax0.1 "qemu-system-x86 (1234) mapped $enrolled"
	golden audit-libvirt.txt $four audit $node
	golden audit.json $four audit $node --json

	quietly $four carve --size 1G --color-list 0 --tenant acme --name db1 \
		--uuid 00000000-0000-4000-8000-000000000002
	golden audit-no-guest.txt $four audit $node
	held dax0.2 "tail (77) /dev/dax0.2"
	exits "a program of its own, which libvirt knows not to be a guest" 0 "no breach" \
		$four audit $node
	exits "a host without libvirt" 1 "carving-without-guest: guest enrolled" \
		$four audit --connect none
	sqlite3 four/ledger.db "UPDATE carving SET tenant = 'mallory' WHERE name = 'enrolled'"
	golden audit-breaches.txt $four audit
	golden audit-breaches.json $four audit --json
	chmod 0666 four/ledger.db
	exits "a ledger that others can write" 1 "ledger-writable: " $four audit
	chmod 0600 four/ledger.db
	echo "no ledger" >four/ledger.db
	exits "a damaged ledger" 1 "ledger-damaged: " $four audit
	exits "a libvirt that was named must answer" 1 "cannot reach libvirt" \
		$four audit --connect test:///nowhere.xml
	exits "no argument" 2 "unexpected argument" $four audit web1
}

finish
