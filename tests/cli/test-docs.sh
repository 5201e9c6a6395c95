#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages and completions know every verb and every option, and no others.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
: "${COLORSCHED:?path of the colorsched command}"

top=$(cd "$SRC/../.." && pwd)

# complete_words PROGRAM WORD...: what bash offers after these.
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	"_$1"
	printf '%s\n' "${COMPREPLY[@]}"
}

same() {
	if diff -u expected got; then
		ok "$1"
	else
		not_ok "$1"
	fi
}

# options_of COMMAND VERB
options_of() {
	"$1" "$2" --help | grep -o -- '--[a-z-]*' | sort -u
}

# check_verb PROGRAM COMMAND VERB
check_verb() {
	if grep -q "^\.It Cm $3\b" "$top/man/$1.1"; then
		ok "the manual of $1 explains $3"
	else
		not_ok "the manual of $1 explains $3"
	fi
	options_of "$2" "$3" >expected
	complete_words "$1" "$3" -- | sort >got
	same "completion knows the options of $1 $3"
	while read -r option; do
		grep -q -- "Fl \(. , \)\?-\?${option#-}\b" "$top/man/$1.1" ||
			not_ok "the manual explains $1 $3 $option"
	done <expected
}

# check_program PROGRAM COMMAND
check_program() {
	local verbs verb

	# shellcheck source=/dev/null
	. "$top/completions/$1"
	verbs=$("$2" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	for verb in $verbs; do echo "$verb"; done | sort >expected
	complete_words "$1" "" | grep -v '^--' | sort >got
	same "completion knows the verbs of $1"
	for verb in $verbs; do
		check_verb "$1" "$2" "$verb"
	done
}

check_program daxcolor "$DAXCOLOR"
check_program colorsched "$COLORSCHED"

quietly --simulate hosts/four.host --state-dir s carve --size 1G --tenant acme --name web1
PATH="$(dirname "$DAXCOLOR"):$PATH"
printf '%s\n' dax0.1 web1 >expected
complete_words daxcolor --simulate hosts/four.host --state-dir s show "" | sort >got
same "completion knows who holds something"

for page in "$top"/man/*.[18]; do
	if warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) &&
		[ -z "$warnings" ]; then
		ok "$(basename "$page") is clean"
	else
		echo "$warnings"
		not_ok "$(basename "$page") is clean"
	fi
done

finish
