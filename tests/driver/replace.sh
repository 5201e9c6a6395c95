#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: replace.sh CHECK-DRIVER
#
# Replaces an object of persistent data, in the region of node 2, again and again, until the host is reset.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

load_driver
"$1" --region "$(region_of_node 2)" blobs-replace >/run/replace 2>&1 &
wait_text /run/replace replacing 300 || { cat /run/replace; vm_die "nothing is replaced"; }
sleep "0.$((RANDOM % 900 + 100))"
reset_host
