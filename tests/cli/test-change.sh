#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# plan, carve, release, recover: what the command does to a host.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

four="--simulate hosts/four.host --state-dir four"
one=00000000-0000-4000-8000-000000000001
two=00000000-0000-4000-8000-000000000002

# shellcheck disable=SC2086
{
	golden plan.txt $four plan --size 3G --tenant acme
	golden plan-colors.txt $four plan -s 2G -t acme -n 1 -c 2
	golden plan-list.txt $four plan --size 2G --tenant acme --color-list 1,3
	golden plan-domain.txt $four plan domains/enrolled.xml
	golden plan-domain.json $four plan domains/enrolled.xml --json
	"$DAXCOLOR" $four plan - <domains/enrolled.xml >out 2>&1
	if "$DAXCOLOR" $four plan domains/enrolled.xml | diff -u - out; then
		ok "plan reads standard input"
	else
		not_ok "plan reads standard input"
	fi
	exits "plan changes nothing" 0 "No guest holds anything." $four list

	golden plan-not-enrolled.txt $four plan domains/plain.xml
	golden plan-no-file.txt $four plan domains/none.xml
	exits "plan refuses what is no XML" 1 "domains/../hosts/four.host" \
		$four plan domains/../hosts/four.host
	exits "what does not fit is refused" 1 "daxcolor: plan: " $four plan --size 9G -t acme
	exits "a refusal is a document too" 1 '"code" : "refused"' \
		$four plan --size 9G -t acme --json
	exits "a color that does not exist" 1 "daxcolor: plan: " \
		$four plan --size 1G -t acme --color-list 4

	golden carve.txt $four carve --size 2G --colors 1 --tenant acme --name web1 --uuid $one
	golden carve.json $four carve --size 1G --tenant initech --name db1 --uuid $two --json
	exits "a new carving has a UUID" 0 '"uuid" : "' $four carve --size 2M --json
	exits "others may open it, too" 0 '"shared" : true' $four carve --size 2M --shared --json

	golden release.txt $four release web1
	golden release-again.txt $four release web1
	golden release-uuid.txt $four release $one
	golden release.json $four release $two --json
	golden recover.txt $four recover

	# The kernel has forgotten what the ledger remembers.
	rm four/simulated-kernel
	exits "recover says what it does" 0 "taken back" $four recover
	golden recover-again.json $four recover --json
}

domain="--simulate hosts/four.host --state-dir domain"
# shellcheck disable=SC2086
{
	exits "a domain is carved from its XML" 0 enrolled $domain carve domains/enrolled.xml
	exits "its colors are nobody else's" 1 "daxcolor: carve: " \
		$domain carve --size 1G --tenant initech --color-list 3
	exits "they are its tenant's" 0 "acme" \
		$domain carve --size 1G --tenant acme --color-list 3
}

# The same name twice: only a UUID will do.
quietly --simulate hosts/four.host --state-dir twins carve --size 1G --name twin --uuid $one
quietly --simulate hosts/four.host --state-dir twins carve --size 1G --name twin --uuid $two
golden release-twins.txt --simulate hosts/four.host --state-dir twins release twin

# A name that a terminal would act on.
quietly --simulate hosts/four.host --state-dir evil carve --size 1G --tenant acme \
	--name "$(printf 'a\033[2Jb')" --uuid $one
golden list-hostile-name.txt --simulate hosts/four.host --state-dir evil list

finish
