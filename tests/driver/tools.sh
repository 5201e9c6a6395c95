#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: tools.sh
#
# What others make of the driver: daxctl lists what sysfs has, QEMU runs a guest on an instance.
set -uo pipefail
# shellcheck source=tests/driver/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly CLASS=/sys/class/dax

# Regions, instances and extents as sysfs has them, as daxctl would say it.
from_sysfs() {
  local region
  for region in "$PLATFORM"/*/dax_region; do
    region_json "$region"
  done | jq -s 'sort_by(.id)'
}

region_json() {
  local id instance
  id=$(<"$1/id")
  for instance in "$CLASS/dax$id."*; do
    instance_json "$instance"
  done | jq -s --argjson id "$id" --argjson size "$(<"$1/size")" \
    --argjson available "$(<"$1/available_size")" --argjson align "$(<"$1/align")" \
    '{id: $id, size: $size, available_size: $available, align: $align, devices: sort_by(.chardev)}'
}

instance_json() {
  local mapping
  for mapping in "$1"/mapping[0-9]*; do
    [ -d "$mapping" ] || continue
    jq -n --argjson page $(($(<"$mapping/page_offset"))) --argjson start $(($(<"$mapping/start"))) \
      --argjson last $(($(<"$mapping/end"))) \
      '{page_offset: $page, start: $start, "end": $last, size: ($last + 1 - $start)}'
  done | jq -s --arg name "${1##*/}" --argjson size "$(<"$1/size")" --argjson align "$(<"$1/align")" \
    --argjson node "$(<"$1/target_node")" \
    '{chardev: $name, size: $size, target_node: $node, align: $align, mappings: sort_by(.page_offset)}'
}

# The same from daxctl. page_offset is in bytes or in pages, as daxctl's version has it.
from_daxctl() {
  daxctl list -RDiM | jq 'sort_by(.id) | map({id, size, available_size, align, devices: (.devices | map({chardev, size,
    target_node, align, mappings: ((.mappings // []) | map({page_offset, start, "end", size}) |
    sort_by(.page_offset))}) | sort_by(.chardev))})'
}

put() {
  echo "$1" >"$2"
}

make_some() {
  local region name
  region=$(echo "$PLATFORM"/hmem.*/dax_region)
  put 1 "$region/create" && name=$(<"$region/create") || return
  put $((6 << 20)) "$CLASS/$name/size" || return
  put 1 "$region/create" && name=$(<"$region/create") || return
  put 4096 "$CLASS/$name/align" || return
  put 0x100800000-0x100bfffff "$CLASS/$name/mapping" || return
  put 0x101000000-0x1011fffff "$CLASS/$name/mapping" || return
  put 0x100e00000-0x100ffffff "$CLASS/$name/mapping" || return
  region=$(echo "$PLATFORM"/dax_color.*/dax_region)
  put 1 "$region/create" && name=$(<"$region/create") && put $((2 << 20)) "$CLASS/$name/size"
}

daxctl_agrees() {
  diff <(from_sysfs) <(from_daxctl)
}

# guest ALIGN SIZE-IN-MIB: the payload fills all of its memory, QEMU unchanged.
guest() {
  local region name output
  region=$(echo "$PLATFORM"/hmem.*/dax_region)
  put 1 "$region/create" && name=$(<"$region/create") || return
  put "$1" "$CLASS/$name/align" && put $(($2 << 20)) "$CLASS/$name/size" || return
  output=$(timeout 120 qemu-system-x86_64 -nodefaults -no-user-config -display none -machine pc,memory-backend=ram,usb=off \
    -m "$2" -object "memory-backend-file,id=ram,mem-path=/dev/$name,size=$2M,share=on,align=$1" \
    -kernel "$GUEST_PAYLOAD" -append "then=poweroff stride=4096" -serial stdio </dev/null 2>&1)
  printf '%s\n' "$output"
  grep -q 'daxcolor-guest: [0-9]* pages ok.\?$' <<<"$output" || return
  put 0 "$CLASS/$name/size" && put "$name" "$region/delete"
}

load_driver
check "daxctl list -RDiM shows what there is without instances" daxctl_agrees
check "make instances" make_some
check "daxctl list -RDiM shows what sysfs has" daxctl_agrees
check "a guest on 64 MiB with pages of 2 MiB" guest 2097152 64
check "a guest on 64 MiB with pages of 4 KiB" guest 4096 64
check "daxctl list -RDiM shows the same as before" daxctl_agrees
for instance in "$CLASS"/dax*; do
  put 0 "$instance/size"
done
check "unload" eval 'sleep 1 && unload_driver'
[ "$failures" = 0 ]
