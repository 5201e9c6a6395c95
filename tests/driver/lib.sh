# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the driver's tests in the virtual host share.

driver_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$DAXCOLOR_VM_LIB"
# shellcheck source=tests/vm/checks.sh
. "$driver_tests/../vm/checks.sh"

readonly PLATFORM=/sys/bus/platform/drivers/dax_color
# With memmap=256M$0x40000000 (tests/driver/run).
readonly SMALL_START=0x40000000 SMALL_SIZE=256M

bind() {
  "$driver_tests/../../driver/dax-color-bind" "$@"
}

# load_driver [NODE]: with the dax region and, where memory is reserved for it, the small region; that on
# NODE, 0 when it is not said. Unless it is loaded.
load_driver() {
  local parameters=()
  ! grep -q '^dax_color ' /proc/modules || return 0
  ! grep -q 'memmap=256M\$' /proc/cmdline || parameters=("regions=$SMALL_START+$SMALL_SIZE@${1:-0}")
  modprobe dax_color "${parameters[@]}" || vm_die "cannot load dax_color"
  load_dax_color "$driver_tests/../../driver/dax-color-bind"
}

unload_driver() {
  modprobe -r dax_color
}

# Numbers are given to all regions in turn, whosever they are.
large_region() {
  cat "$PLATFORM"/hmem.*/dax_region/id
}

small_region() {
  cat "$PLATFORM"/dax_color.*/dax_region/id
}

# claimant PROGRAM: the module that claims, of the build that PROGRAM is of.
claimant() {
  echo "${1%/tests/driver/*}/driver/$(uname -r)/tests/dax_color_claimant.ko"
}

# On the disk, whose file system takes O_DIRECT; the root's does not.
file_for_direct_io() {
  [ ! -d /run/vm-disk ] || echo /run/vm-disk/direct-io
}

# The network card of a virtual host with --vfio, given to vfio-pci.
give_card_to_vfio() {
  local card=/sys/bus/pci/devices/0000:00:03.0
  modprobe vfio-pci && echo vfio-pci >"$card/driver_override" || vm_die "no vfio-pci"
  [ ! -e "$card/driver" ] || echo 0000:00:03.0 >"$card/driver/unbind"
  echo 0000:00:03.0 >/sys/bus/pci/drivers_probe || vm_die "vfio-pci does not take the card"
}
