#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Eight guests' hooks at once, some of them killed, on the real kernel:
# storm.sh PAYLOAD BUILD
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly STORM=$2/tests/crash/storm
seconds=8
[ -z "${DAXCOLOR_LONG:-}" ] || seconds=60

if [ ! -x "$STORM" ]; then
  echo "# there is no $STORM: nothing done"
  exit 0
fi
small_granules 2
refused "a storm of nobody is none" '.' "$STORM" --real --seconds 0
"$STORM" --real --workers 8 --tenants 4 --seconds "$seconds" --memory 4 --node 1 || failures=1
check "afterwards ledger and kernel agree" explained
check "nothing is left" nothing_left
! knows audit || check "the audit finds no breach" daxcolor audit
rm /etc/daxcolor/daxcolor.conf
finish
