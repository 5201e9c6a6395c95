#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: life.sh CHECK-DRIVER
#
# The module comes and goes: over busy memory it does not come, with memory in use it does not go, and
# nothing is left of it after twenty lives.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly CLASS=/sys/class/dax

load_regions() {
  modprobe dax_color "regions=$1"
}

loading_fails() {
  ! load_regions "$1" 2>/dev/null
}

# refused_regions WHAT REGIONS REGEX: loading fails, and the kernel's log names what REGEX wants; nothing is
# left of it.
refused_regions() {
  local before
  before=$(dmesg | wc -l)
  check "$1: not loaded" loading_fails "$2"
  check "$1: the log says why" says_since "$before" "$3"
  modprobe -r dax_color
  check "$1: nothing is left" nothing_is_left
}

says_since() {
  dmesg | tail -n +$(($1 + 1)) | grep -aE -- "dax_color.*$2" || { dmesg | tail -n 5; return 1; }
}

nothing_is_left() {
  ! grep -q '^dax_color ' /proc/modules && [ ! -e $CLASS ] && ! grep dax_color /proc/iomem &&
    [ ! -e /sys/kernel/debug/dax_color ] && ! grep -q dax_color /proc/devices
}

# regions_are "START SIZE NODE"...: of dax_color's own platform devices.
regions_are() {
  local region got=''
  for region in "$PLATFORM"/dax_color.*/dax_region; do
    got+="$(<"$region/resource") $(<"$region/size") $(<"$region/target_node")"$'\n'
  done
  [ "$got" = "$(printf '%s\n' "$@")"$'\n' ] || { printf 'got %s' "$got"; return 1; }
}

parameters() {
  local device
  load_dax
  refused_regions "memory that is RAM" 0x10000000+64M@0 '0x10000000-0x13ffffff|10000000-13ffffff'
  refused_regions "half of it RAM" 0x4c000000+128M@0 '4c000000-'
  refused_regions "a start that is no multiple of 2 MiB" 0x40100000+64M@0 '40100000'
  refused_regions "a size that is no multiple of 2 MiB" 0x40000000+3M@0 '40000000'
  refused_regions "the same range twice" 0x40000000+64M@0,0x40000000+64M@0 '40000000-'
  refused_regions "ranges that overlap" 0x40000000+64M@0,0x42000000+64M@0 '42000000-'
  refused_regions "the second of two is RAM" 0x40000000+64M@0,0x10000000+64M@0 '10000000-'
  device=$(daxctl create-device -r 0 -s 64M 2>/dev/null | jq -r '.[].chardev')
  refused_regions "memory that mainline's $device has" 0x100000000+64M@0 '100000000-'
  check "it has it still" grep "100000000-103ffffff : $device" /proc/iomem
  daxctl disable-device "$device" && daxctl destroy-device "$device"
  unload_dax
  refused_regions "no size" 0x40000000@0 'regions'
  refused_regions "a size of 0" 0x40000000+0@0 '.'
  refused_regions "no node" 0x40000000+64M 'regions'
  refused_regions "a node that cannot be" 0x40000000+64M@4096 '.'
  refused_regions "a negative node" 0x40000000+64M@-1 '.'
  refused_regions "no number" start+64M@0 'regions'
  refused_regions "a start beyond all memory" 0xfffffffffffe00000+64M@0 '.'
  refused_regions "a size beyond all memory" 0x40000000+16777216T@0 '.'
  refused_regions "an end beyond the address space" 0xffffffffffe00000+4M@0 '.'
  refused_regions "a granule and no colors" 0x40000000+64M@0/4M '.'
  refused_regions "a granule that is none" 0x40000000+64M@0/3M/4 '.'
  refused_regions "no colors" 0x40000000+64M@0/4M/0 '.'
  refused_regions "a base that is no multiple of the granule" 0x40000000+64M@0/4M/4/0x100000 '.'
  refused_regions "an empty entry" 0x40000000+64M@0,,0x44000000+64M@0 '.'
  refused_regions "words behind it" "0x40000000+64M@0 and more" '.'

  check "two regions of one node, decimal and hexadecimal" load_regions 1073741824+64M@0,0x48000000+0x4000000@0
  check "are there" regions_are "0x40000000 67108864 0" "0x48000000 67108864 0"
  check "the kernel's list of memory says whose it is" grep -q '40000000-43ffffff : dax_color' /proc/iomem
  check "unload" unload_driver
  check "with geometry" load_regions 0x40000000+64M@0/4M/4/0x40000000
  check "it has it" grep -q '^rotate 4194304 4 0x40000000$' "$PLATFORM"/dax_color.*/dax_region/geometry
  check "unload" unload_driver
  check "nothing is left" nothing_is_left
}

put() {
  echo "$1" >"$2"
}

# region_of INSTANCE: the directory of its region.
region_of() {
  local number=${1#dax}
  dirname "$(grep -lx "${number%.*}" "$PLATFORM"/*/dax_region/id)"
}

# make DRIVER SIZE: an instance of the first region of hmem's or dax_color's; prints its name.
make() {
  local region name
  region=$(echo "$PLATFORM"/"${1}"*/dax_region)
  put 1 "$region/create" && name=$(<"$region/create") && put "$2" "$CLASS/$name/size" && echo "$name"
}

hmem_device() {
  local device
  for device in /sys/bus/platform/devices/hmem.[0-9]*; do
    echo "${device##*/}"
  done
}

hmem_driver() {
  basename "$(readlink "/sys/bus/platform/devices/$(hmem_device)/driver")"
}

in_use() {
  local name
  load_driver
  name=$(make hmem $((4 << 20)))
  refused "rmmod while an instance has a size" 'in use' rmmod dax_color
  refused "back to dax_hmem while an instance has a size" 'in use' bind --release
  check "it is as it was" grep -qx $((4 << 20)) "$CLASS/$name/size"
  put 0 "$CLASS/$name/size"
  sleep 0.5
  exec 9<"/dev/$name"
  refused "rmmod while a file is open" 'in use' rmmod dax_color
  exec 9<&-
  check "rmmod when nothing is used" rmmod dax_color
  check "nothing is left" nothing_is_left
}

unbound() {
  [ ! -e "/sys/bus/platform/devices/$1/driver" ]
}

# Root takes the driver from the memory while it is mapped, and while it is pinned: nothing breaks, and what
# is pinned is waited for.
robbed() {
  local device name user robber
  device=$(hmem_device)
  load_driver
  name=$(make hmem $((4 << 20)))
  exec 9<"/dev/$name"
  "$program" --hold "$name" &
  user=$!
  sleep 0.5
  check "unbind while it is mapped" put "$device" "$PLATFORM/unbind"
  check "who had it mapped goes on, with nothing" kill -0 $user
  kill $user
  wait $user 2>/dev/null
  check "the instance is gone" test ! -e "$CLASS/$name"
  check "bind again, while the old one is open" put "$device" "$PLATFORM/bind"
  name=$(make hmem $((4 << 20)))
  check "it works" test -n "$name"
  refused "rmmod while the old one is open" 'in use' rmmod dax_color
  exec 9<&-
  "$program" --pin "$name" &
  user=$!
  sleep 0.5
  put "$device" "$PLATFORM/unbind" &
  robber=$!
  sleep 1
  check "unbind waits for what is pinned" kill -0 $robber
  kill $user
  wait $user 2>/dev/null
  check "until it is let go" wait_for 20 unbound "$device"
  wait $robber
  check "bind again" put "$device" "$PLATFORM/bind"
  check "all of it is there" all_is_back
  check "unload" unload_driver
}

# So it is with what a module has claimed: the claim goes with the instance.
robbed_of_a_claim() {
  local device name
  device=$(hmem_device)
  load_driver
  name=$(make hmem $((4 << 20)))
  check "a module claims" insmod "$(claimant "$program")" "names=$name"
  check "unbind what is claimed" put "$device" "$PLATFORM/unbind"
  check "the module goes" rmmod dax_color_claimant
  check "bind again" put "$device" "$PLATFORM/bind"
  name=$(make hmem $((4 << 20)))
  check "an instance of that name is nobody's" grep -qx -- - "$CLASS/$name/claim"
  put 0 "$CLASS/$name/size"
  check "all of it is there" wait_for 10 all_is_back
  check "unload" unload_driver
}

# What the kernel has in slabs and page tables, in kB; and what is available.
memory_now() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
  awk '/^(SUnreclaim|PageTables|Percpu|VmallocUsed):/ { sum += $2 } END { print sum }' /proc/meminfo
}

# objects CACHE: in use.
objects() {
  awk -v cache="$1" '$1 == cache { print $2 }' /proc/slabinfo
}

our_caches() {
  awk '/dax_color|^dc_/ { print $1 }' /proc/slabinfo
}

# one_life NUMBER: instances come and go, one of them while it is mapped. The module finds its memory by
# itself, as driver_override is set; every fifth time dax_hmem has it meanwhile.
one_life() {
  local region name names=() holder
  modprobe dax_color regions=$SMALL_START+$SMALL_SIZE@0 || return
  region=$(echo "$PLATFORM"/hmem.*/dax_region)
  put "rotate 2097152 $((2 + $1)) $(<"$region/resource")" "$region/geometry" || return
  names+=("$(make hmem $((2 << 20)))" "$(make hmem $((12 << 20)))" "$(make dax_color $((8 << 20)))")
  "$program" --hold "${names[1]}" &
  holder=$!
  for name in "${names[@]}"; do
    put 0 "$CLASS/$name/size" && put "$name" "$(region_of "$name")/delete" || return
  done
  kill $holder
  wait $holder 2>/dev/null
  wait_for 10 all_is_back || { echo "memory does not come back"; return 1; }
  (($1 % 5 != 0)) || { bind --release && [ "$(hmem_driver)" = hmem ] && bind; } || return
  unload_driver
}

all_is_back() {
  local region
  for region in "$PLATFORM"/*/dax_region; do
    [ "$(<"$region/available_size")" = "$(<"$region/size")" ] && [ "$(<"$region/zeroing_size")" = 0 ] ||
      return 1
  done
}

lives() {
  local life before after
  load_driver
  unload_driver
  for life in 1 2 3; do
    one_life "$life" || break
  done
  before=$(memory_now)
  for ((life = 4; life <= 20; life++)); do
    check "life $life" one_life "$life"
  done
  after=$(memory_now)
  printf '# kernel memory: %s kB after 3 lives, %s kB after 20\n' "$before" "$after"
  # A struct page for each 4 KiB of one extent would be 128 kB; a leak of one object each life is not
  # seen here but by kmemleak (./dev kasan).
  # There, what is freed stays in KASAN's quarantine, and every stack that was seen is kept.
  [ -e /sys/kernel/debug/kmemleak ] ||
    check "17 lives leave less than 1 MiB" test $((after - before)) -lt 1024
  same "no cache of ours is left" "" "$(our_caches)"
  check "nothing is left" nothing_is_left
}

program=$1
parameters
in_use
robbed
robbed_of_a_claim
lives
[ "$failures" = 0 ]
