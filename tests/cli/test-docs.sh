#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Manual page and completion know every verb and every option, and no others.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

top=$(cd "$SRC/../.." && pwd)
manual=$top/man/daxcolor.1
# shellcheck source=completions/daxcolor
. "$top/completions/daxcolor"

complete_words() {
	COMP_WORDS=(daxcolor "$@")
	COMP_CWORD=$#
	_daxcolor
	printf '%s\n' "${COMPREPLY[@]}"
}

same() {
	if diff -u expected got; then
		ok "$1"
	else
		not_ok "$1"
	fi
}

options_of() {
	"$DAXCOLOR" "$@" --help | grep -o -- '--[a-z-]*' | sort -u
}

verbs=$("$DAXCOLOR" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')

for verb in $verbs; do echo "$verb"; done | sort >expected
complete_words "" | grep -v '^--' | sort >got
same "completion knows the verbs"

for verb in $verbs; do
	if grep -q "^\.It Cm $verb\b" "$manual"; then
		ok "the manual explains $verb"
	else
		not_ok "the manual explains $verb"
	fi
	options_of "$verb" >expected
	complete_words "$verb" -- | sort >got
	same "completion knows the options of $verb"
	while read -r option; do
		grep -q -- "Fl \(. , \)\?-\?${option#-}\b" "$manual" ||
			not_ok "the manual explains $verb $option"
	done <expected
done

quietly --simulate hosts/four.host --state-dir s carve --size 1G --tenant acme --name web1
PATH="$(dirname "$DAXCOLOR"):$PATH"
printf '%s\n' dax0.1 web1 >expected
complete_words --simulate hosts/four.host --state-dir s show "" | sort >got
same "completion knows who holds something"

for page in "$manual" "$top/man/daxcolor-qemu-hook.8"; do
	if warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) &&
		[ -z "$warnings" ]; then
		ok "$(basename "$page") is clean"
	else
		echo "$warnings"
		not_ok "$(basename "$page") is clean"
	fi
done

finish
