#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How the command is called, and what it says when it is called wrongly.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

golden help.txt --help
golden help-plan.txt plan --help
golden help-enroll.txt enroll --help
golden version.txt --version
golden version-verb.txt map --version

golden usage-none.txt
golden usage-verb.txt paint
golden usage-option.txt map --wide
golden usage-argument.txt map everything
golden usage-missing.txt show
golden usage-plan.txt plan
golden usage-plan-both.txt plan domains/plain.xml --size 1G
golden usage-size.txt plan --size 1.5G
golden usage-size-unaligned.txt plan --size 1M
golden usage-node.txt plan --size 1G --node -1
golden usage-colors.txt plan --size 1G --colors 0
golden usage-colors-both.txt plan --size 1G --colors 1 --color-list 1
golden usage-list.txt plan --size 1G --color-list 3-1
golden usage-tenant.txt plan --size 1G --tenant 'a b'
golden usage-uuid.txt carve --size 1G --uuid 1234
golden usage-cell.txt enroll x --cell 0:colours=2
golden usage-cell-twice.txt enroll x --cell 0:node=1 --cell 0:node=2
golden usage-cell-node.txt enroll x --cell 0:node=1,node=2
golden usage-tenant-enroll.txt enroll x --tenant ../x

golden host-missing.txt --simulate hosts/none.host map
golden host-missing.json --simulate hosts/none.host map --json
printf '[region 0]\nstrat = 0\n' >bad.host
exits "a description with a typo" 1 strat --simulate bad.host map
exits "a configuration that is not there" 1 none.conf \
	--config none.conf --simulate hosts/four.host map
mkdir state
echo garbage >state/ledger.db
exits "a ledger that is none" 1 ledger.db --simulate hosts/four.host --state-dir state list

# Everything written, or an exit status that says so.
if [ -w /dev/full ]; then
	"$DAXCOLOR" --simulate hosts/four.host map >/dev/full 2>err
	status=$?
	if [ $status = 1 ] && grep -q "cannot write" err; then
		ok "a full disk is an error"
	else
		not_ok "a full disk is an error"
	fi
fi

finish
