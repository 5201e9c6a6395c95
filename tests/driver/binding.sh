#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: binding.sh
#
# Who has soft-reserved memory: dax-color-bind and the udev rule give it to dax_color and back, and never take it from
# those who use it.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly DEVICE=/sys/bus/platform/devices/hmem.0
readonly LIBEXEC=/usr/libexec/daxcolor RULE=$driver_tests/../../driver/70-dax-color.rules.in

put() {
  echo "$1" >"$2"
}

driver() {
  basename "$(readlink "$DEVICE/driver")"
}

# belongs_to DRIVER OVERRIDE
belongs_to() {
  [ "$(driver)" = "$1" ] && [ "$(<$DEVICE/driver_override)" = "$2" ] && return
  echo "the driver is $(driver), driver_override $(<$DEVICE/driver_override)"
  return 1
}

by_hand() {
  check "nobody's choice: dax_hmem has it" belongs_to hmem "(null)"
  check "bind" bind
  check "dax_color has it" belongs_to dax_color dax_color
  check "bind again: nothing to do" bind hmem.0
  check "release" bind --release
  check "dax_hmem has it, and dax_color's udev rule knows" belongs_to hmem hmem
  check "release again: nothing to do" bind --release hmem.0
  refused "a device that is none" "hmem.7: there is no such device" bind hmem.7
  refused "another kind of device" "serial8250: not a device of soft-reserved memory" bind serial8250
  refused "half an answer is not 0" "hmem.7: there is no such device" bind hmem.0 hmem.7
  check "but what is there was bound" belongs_to dax_color dax_color
}

# A region of its own, over part of the same memory, makes dax_color refuse the whole.
what_dax_color_refuses() {
  check "unload" unload_driver
  check "give it back" bind_without_driver
  check "a region over part of it" modprobe dax_color "regions=0x100000000+2M@1"
  refused "bind" "hmem.0: dax_color refuses it: .*[a-z] \(see dmesg\)" bind
  check "whoever had it has it" belongs_to hmem hmem
  check "unload" unload_driver
}

bind_without_driver() {
  put hmem "$DEVICE/driver_override" && put hmem.0 /sys/bus/platform/drivers_probe
}

in_use() {
  local mainline=/sys/bus/dax/devices/dax0.0 ours
  check "mainline has an instance with a size" put $((2 << 20)) "$mainline/size"
  refused "bind" "hmem.0: 2097152 of 8589934592 bytes are in use through the driver hmem" bind
  check "it stays where it is" belongs_to hmem hmem
  check "a size of 0" put 0 "$mainline/size"
  check "bind" bind
  ours=$(echo /sys/class/dax/dax*.0)
  check "dax_color has an instance with a size" put $((2 << 20)) "$ours/size"
  refused "release" "hmem.0: 2097152 of 8589934592 bytes are in use through the driver dax_color" bind --release
  check "it stays where it is" belongs_to dax_color dax_color
  check "a size of 0" put 0 "$ours/size"
  check "release" bind --release
}

set_up_udev() {
  mkdir -p "$LIBEXEC" /run/udev/rules.d &&
    cp "$driver_tests/../../driver/dax-color-bind" "$LIBEXEC/" &&
    sed "s,@pkglibexecdir@,$LIBEXEC,g" "$RULE" >/run/udev/rules.d/70-dax-color.rules &&
    /lib/systemd/systemd-udevd --daemon
}

# What udev does at boot with devices that were there before it.
events() {
  udevadm trigger --action=add --subsystem-match=platform --sysname-match='hmem.*' && udevadm settle
}

by_udev() {
  check "unload" unload_driver
  check "udev" set_up_udev
  check "events" events
  check "what was released is left alone" belongs_to hmem hmem
  put "" "$DEVICE/driver_override"
  check "a kernel without dax_color" without_module events
  check "is left alone" belongs_to hmem "(null)"
  check "events" events
  check "dax_color has it" belongs_to dax_color dax_color
}

without_module() {
  local module status=0
  module=$(modinfo -n dax_color) && mv "$module" /run/
  "$@" || status=$?
  mv "/run/${module##*/}" "$module"
  return "$status"
}

leave() {
  udevadm control --exit && rm /run/udev/rules.d/70-dax-color.rules && bind --release && unload_driver
}

modprobe dax_hmem region_idle=1 || vm_die "cannot load dax_hmem"
modprobe device_dax
by_hand
what_dax_color_refuses
in_use
by_udev
check "leave" leave
[ "$failures" = 0 ]
