# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the tests of the command share: a directory of its own for each test
# program, cases that are compared with golden files, and "ok"/"not ok" lines.
# UPDATE=1 writes the golden files anew; look at the difference before it is
# committed.

: "${DAXCOLOR:?path of the daxcolor command}"
: "${SRC:=$(cd "$(dirname "$0")" && pwd)}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$SRC/hosts" "$SRC/domains" "$work"
chmod -R u+w "$work"
cd "$work" || exit 99

export LC_ALL=C COLUMNS=80 TERM=dumb
unset NO_COLOR DAXCOLOR_CONFIG DAXCOLOR_STATE_DIR DAXCOLOR_SIMULATE LIBVIRT_DEFAULT_URI
: >empty.conf
export DAXCOLOR_CONFIG="$work/empty.conf"

number=0
failed=0

ok() {
	number=$((number + 1))
	echo "ok - $1"
}

not_ok() {
	number=$((number + 1))
	failed=$((failed + 1))
	echo "not ok - $1"
}

# What golden does to the output before it is compared; a test may have its own.
filter() {
	cat
}

# golden NAME ARGUMENT...: what `daxcolor ARGUMENT...` prints and how it exits.
golden() {
	name=$1
	shift
	"$DAXCOLOR" "$@" >out 2>err
	status=$?
	{
		filter <out
		[ -s err ] && filter <err | sed 's/^/stderr: /' err
		echo "exit: $status"
	} >got
	if [ -n "${UPDATE:-}" ]; then
		cp got "$SRC/golden/$name"
	fi
	if diff -u "$SRC/golden/$name" got; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

# exits NAME STATUS TEXT ARGUMENT...: exits with STATUS and says TEXT somewhere.
exits() {
	name=$1
	want=$2
	text=$3
	shift 3
	"$DAXCOLOR" "$@" >out 2>err
	status=$?
	if [ "$status" = "$want" ] && cat out err | grep -qF -- "$text"; then
		ok "$name"
	else
		echo "exit $status (not $want), or \"$text\" is missing in:"
		cat out err
		not_ok "$name"
	fi
}

# quietly ARGUMENT...: a step that other cases build on.
quietly() {
	if ! "$DAXCOLOR" "$@" >out 2>&1; then
		cat out
		not_ok "daxcolor $*"
	fi
}

finish() {
	echo "1..$number"
	[ "$failed" = 0 ]
	exit
}
