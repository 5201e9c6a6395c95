#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lend, reclaim: memory of idle colors, to the host and back.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

four="--simulate hosts/four.host --state-dir four"

# shellcheck disable=SC2086
{
	golden lend-nothing.txt $four lend
	golden lend.txt $four lend 1-2
	golden lend-again.txt $four lend 2
	golden lend.json $four lend --json
	golden lend-map.txt $four map
	golden lend-list.txt $four list
	exits "what is lent is no guest's to release" 1 "daxcolor reclaim" $four release host-memory
	exits "nothing is amiss" 0 "no breach" $four audit
	golden lend-reclaim.txt $four reclaim 1
	golden lend-reclaim-again.txt $four reclaim 1
	exits "a guest takes what it needs" 0 "back from the host for guest" \
		$four carve --size 2G --tenant acme --color-list 2
	golden lend-nothing.txt $four lend
	exits "a color that is a tenant's is not lent" 1 "tenant acme has it" $four lend 2
	exits "no guest is the host" 2 "that is the host" \
		$four carve --size 1G --tenant daxcolor.host
	quietly $four lend 0,3
	golden lend-reclaim.json $four reclaim --all --json
	golden lend-usage.txt $four reclaim
	exits "one or the other" 2 "COLORS and --all" $four reclaim 1 --all
	exits "colors are numbers" 2 "daxcolor lend --help" $four lend red
	exits "a node alone lends nothing" 2 "which colors" $four lend --node 1
}

finish
