#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# regions, colors, map, list, show: what the command shows of a host.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
: "${LEDGER_MARK:?path of ledger-mark}"

four="--simulate hosts/four.host --state-dir four"

# Options of the host stand before the verb or after it.
# shellcheck disable=SC2086
{
	golden regions-empty.txt $four regions
	golden regions-empty.json $four regions --json
	golden colors-empty.txt colors $four
	golden map-empty.txt $four map
	golden list-empty.txt $four list
	golden list-empty.json $four list --json

	# An instance whose ledger is lost is foreign.
	quietly $four carve --size 1G --color-list 2 --tenant lost \
		--uuid 00000000-0000-4000-8000-0000000000aa
	rm four/ledger.db*
	quietly $four carve --size 2G --colors 1 --tenant acme --name web1 \
		--uuid 00000000-0000-4000-8000-000000000001
	quietly $four carve --size 1538M --color-list 3 --tenant initech --name db1 \
		--uuid 00000000-0000-4000-8000-000000000002
	"$LEDGER_MARK" four/ledger.db 0x140000000 1G bad
	"$LEDGER_MARK" four/ledger.db 0x240000000 1G clean

	golden regions.txt $four regions
	golden regions.json $four regions --json
	golden colors.txt $four colors
	golden colors.json $four colors --json
	golden map.txt $four map
	golden map.json $four map --json
	golden list.txt $four list
	golden list.json $four list --json
	golden show-name.txt $four show web1
	golden show-uuid.txt $four show 00000000-0000-4000-8000-000000000002
	golden show-instance.json $four show dax0.2 --json
	golden show-foreign.txt $four show dax0.1
	golden show-none.txt $four show nobody
	golden show-none.json $four show nobody --json
}

# More colors than fit: joined in tables, wrapped in the map, numbered.
large="--simulate hosts/memory-mode.host --state-dir large"
# shellcheck disable=SC2086
{
	quietly $large carve --size 8G --colors 2 --tenant acme --name web1 \
		--uuid 00000000-0000-4000-8000-000000000001
	quietly $large carve --size 6G --color-list 90-95 --tenant initech --name db1 \
		--uuid 00000000-0000-4000-8000-000000000002
	golden colors-large.txt $large colors
	golden map-large.txt $large map
	golden map-large-all.txt $large map --all
	COLUMNS=200 golden map-large-wide.txt $large map
	exits "colors --all has a row for each color" 0 "0  95 " $large colors --all
}

golden regions-kinds.txt --simulate hosts/kinds.host regions
golden map-kinds.txt --simulate hosts/kinds.host map

# Nothing that was only looked at is written.
golden map-memory-only.txt --simulate hosts/four.host --state-dir none map
if [ -e none/ledger.db ]; then
	not_ok "looking makes no ledger"
else
	ok "looking makes no ledger"
fi

# Color is for terminals only.
# shellcheck disable=SC2086
on_terminal() {
	TERM=xterm script -qec "$DAXCOLOR $four map" /dev/null
}
escape=$(printf '\033')
if command -v script >/dev/null; then
	if on_terminal | grep -q "$escape"; then
		ok "a terminal gets color"
	else
		not_ok "a terminal gets color"
	fi
	if NO_COLOR=1 on_terminal | grep -q "$escape"; then
		not_ok "NO_COLOR is honored"
	else
		ok "NO_COLOR is honored"
	fi
fi
if TERM=xterm "$DAXCOLOR" --simulate hosts/four.host map | grep -q "$escape"; then
	not_ok "a pipe gets no color"
else
	ok "a pipe gets no color"
fi

finish
