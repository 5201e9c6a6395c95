#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: kexec.sh PROGRAM [OPTION...]
#
# Objects of persistent data, in the region of node 2, are there for another kernel that is started without a
# reset, while they are attached and their memory is online. That kernel runs this script as well.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly SECOND=daxcolor_tests_second_kernel

program=$1
shift

part() {
  "$program" --region "$(region_of_node 2)" "$@"
}

if [ ! -e /sys/kernel/kexec_loaded ]; then
  echo "# kexec: not with this kernel"
  exit 0
fi
load_driver
if ! grep -qw "$SECOND" /proc/cmdline; then
  part "$@" blobs-write || exit 1
  check_kernel_log "kexec: first kernel"
  [ "$failures" = 0 ] || exit 1
  "$program" --kexec "$DAXCOLOR_VM_IMAGE" "$DAXCOLOR_VM_INITRD" "$(cat /proc/cmdline) $SECOND"
  exit 1
fi
check "kexec: this is the second kernel" test "$DAXCOLOR_VM" = 1
part "$@" blobs-read && unbind_all && unload_driver && [ "$failures" = 0 ]
