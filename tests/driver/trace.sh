#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: trace.sh CHECK-DRIVER
#
# Each tracepoint fires, and says what it is about.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TRACING=/sys/kernel/tracing CLASS=/sys/class/dax

put() {
  echo "$1" >"$2"
}

traced() {
  grep -E "dax_color_$1:.*$2" $TRACING/trace || { tail -n 20 $TRACING/trace; return 1; }
}

load_driver
region=$(echo "$PLATFORM"/hmem.*/dax_region)
put 1 $TRACING/events/dax_color/enable
put 1 "$region/create"
name=$(<"$region/create")
put $((4 << 20)) "$CLASS/$name/size"
"$1" --pin "$name" &
wait_for 10 traced fault "$name"
sleep 0.5
put 0 "$CLASS/$name/size"
wait_for 10 traced quarantine 0x
kill $!
wait $! 2>/dev/null
wait_for 10 traced release .
put 0 $TRACING/events/dax_color/enable
for event in create resize fault; do
  check "tracepoint dax_color_$event names the instance" traced "$event" "$name"
done
check "tracepoint dax_color_quarantine" traced quarantine 0x
check "tracepoint dax_color_zero" traced zero .
check "tracepoint dax_color_release" traced release 0x
put "$name" "$region/delete"
unload_driver
[ "$failures" = 0 ]
