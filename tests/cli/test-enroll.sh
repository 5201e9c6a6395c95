#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# enroll and unenroll on libvirt's test driver, which needs no daemon.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

node="--connect test:///$work/domains/testnode.xml"

# shellcheck disable=SC2086
{
	golden enroll-dry-run.txt enroll $node plain --dry-run
	golden enroll.txt enroll $node plain --yes --tenant acme \
		--cell 0:node=1,list=0+2-3
	golden enroll-count.txt enroll $node plain --yes --cell 0:colors=2
	golden enroll-uuid.json enroll $node 00000000-0000-4000-8000-0000000000aa --yes --json
	golden enroll-again.txt enroll $node enrolled --yes --tenant acme
	golden enroll-other-tenant.txt enroll $node enrolled --yes --tenant initech
	golden unenroll.txt unenroll $node enrolled --yes
	golden unenroll-none.txt unenroll $node plain --yes
	golden unenroll-dry-run.json unenroll $node enrolled --dry-run --json

	exits "hugepages are not overruled" 1 "daxcolor: hugepages: " \
		enroll $node hugepages --yes
	exits "nobody there to ask" 1 "say --yes" enroll $node plain </dev/null
	exits "a domain that does not exist" 1 "virsh list --all" enroll $node nobody --yes
	exits "a password is not shown" 0 "passwd='...'" enroll $node plain --dry-run
	"$DAXCOLOR" enroll $node plain --dry-run | grep -q hunter2 &&
		not_ok "a password is not shown at all"
}
# answers NAME ANSWER TEXT: on a terminal the question is asked.
answers() {
	if printf '%s\n' "$2" |
		script -qec "$DAXCOLOR enroll $node plain" /dev/null | grep -qF "$3"; then
		ok "$1"
	else
		not_ok "$1"
	fi
}
if command -v script >/dev/null; then
	answers "yes is yes" y "The domain was changed"
	answers "no is no" n "Nothing was changed."
	answers "an empty answer is no" "" "Nothing was changed."
fi

exits "a libvirt that is not there" 1 "cannot reach libvirt at test:////none.xml" \
	enroll --connect test:////none.xml plain --yes

finish
