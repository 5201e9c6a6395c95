#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Does to the virtual host what an administrator does to a real one after
# installing, then runs a scenario: prepare.sh SCENARIO ARGUMENTS...
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$DAXCOLOR_VM_LIB"

daxcolor doctor --fix || :
restart_libvirtd
exec "$@"
