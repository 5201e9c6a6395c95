#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: kmem.sh PROGRAM [OPTION...]
#
# Instances as system RAM, in the region that is the only memory of node 2 (--topology two-node).
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/driver/lib.sh
. "$here/lib.sh"

program=$1
shift
export DAXCOLOR_IMAGES=$here/images

part() {
  "$program" --region "$(region_of_node 2)" "$@" || failures=$((failures + 1))
}

load_driver
load_eighth "$program"
part "$@" kmem
part "$@" blobs
part "$@" images
part "$@" blobs-write
refused "the module is not unloaded while memory of it is system RAM" 'in use' unload_driver
# Takes the region from the driver with all that is in it.
rmmod eighth
unbind_all
same "the module is free" 0 "$(cat /sys/module/dax_color/refcnt)"
unload_driver
load_driver
part "$@" blobs-read
part "$@" kmem-poison
unbind_all
unload_driver
# The kernel says so of each page that somebody is using when its block is to go, and tries again.
same "the kernel complains of nothing but pages in use" "" \
  "$(kernel_complaints | grep -Ev 'page dumped because: (migration failure|isolation failed)$')"
dmesg --clear
[ "$failures" = 0 ]
