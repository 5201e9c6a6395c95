# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scenarios share: assertions, guests, and the kernel's own view of who
# has which memory. Nothing here asks daxcolor where a guest's memory is.

# shellcheck source=tests/vm/lib.sh
. "$DAXCOLOR_VM_LIB"
# shellcheck source=tests/vm/checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

readonly GIB=$((1 << 30))
readonly REGION_START=$((0x100000000)) COLORS=4
readonly URI=qemu:///system
readonly CONSOLES=/var/log/daxcolor-guests
readonly BOOT_FILES=/var/lib/libvirt/boot

# ---- backends ----

# Which kernel driver has the memory: mainline (device_dax) or dax_color. What is expected of one and
# not of the other is said here and nowhere else.
: "${DAXCOLOR_BACKEND:=mainline}"
# shellcheck disable=SC2034 # for scenarios
case $DAXCOLOR_BACKEND in
  mainline)
    readonly DEVICES=/sys/bus/dax/devices REGION_DIR=/sys/bus/dax/devices/dax0.0/../dax_region
    # With zero = never a guest finds what the one before it left.
    readonly ZERO_NEVER_LEAKS=yes
    # Root can make instances that are misaligned, or on another's color.
    readonly KERNEL_REFUSES=''
    # Whoever is root can open a running guest's instance.
    readonly CLAIMS=''
    # An instance that is taken from under its guest is there, but not bound any more.
    readonly TAKEN_AWAY_IS=(carving-not-enabled)
    ;;
  dax_color)
    readonly DEVICES=/sys/class/dax REGION_DIR=/sys/bus/platform/devices/hmem.0/dax_region
    readonly ZERO_NEVER_LEAKS='' KERNEL_REFUSES=yes CLAIMS=yes
    readonly TAKEN_AWAY_IS=(carving-instance-gone node-stray process-unexplained)
    ;;
  *) vm_die "there is no backend $DAXCOLOR_BACKEND" ;;
esac

# is_seed INSTANCE: made by the kernel with the region, and never deleted.
is_seed() {
  case $DAXCOLOR_BACKEND in
    mainline) [ "${1##*.}" = 0 ] ;;
    dax_color) [ "$1" = "$(<"$DEVICES/$1/device/dax_region/seed")" ] ;;
  esac
}

# by_hand START SIZE ALIGN: an instance past daxcolor, as root can make one; its name. False, and
# nothing is left, when the kernel refuses.
by_hand() {
  local name
  echo 1 >"$REGION_DIR/create"
  name=$(<"$REGION_DIR/create")
  echo "$3" >"$DEVICES/$name/align"
  if ! printf '0x%x-0x%x' "$1" $(($1 + $2 - 1)) 2>/dev/null >"$DEVICES/$name/mapping"; then
    echo "$name" >"$REGION_DIR/delete"
    return 1
  fi
  printf '%s\n' "$name"
}

# bind INSTANCE: it can be opened from then on.
bind() {
  [ "$DAXCOLOR_BACKEND" = dax_color ] || echo "$1" >/sys/bus/dax/drivers/device_dax/bind
}

# unclaim INSTANCE: as root can give back what a guest has claimed.
unclaim() {
  local uuid
  read -r uuid _ <"$DEVICES/$1/claim"
  [ "$uuid" = - ] || echo "$uuid $1" >"$DEVICES/release"
}

# unbind INSTANCE: nobody can map it any more, nor use what is mapped.
unbind() {
  case $DAXCOLOR_BACKEND in
    mainline) echo "$1" >/sys/bus/dax/drivers/device_dax/unbind ;;
    dax_color) unclaim "$1" && echo 0 >"$DEVICES/$1/size" ;;
  esac
}

take_away() {
  [ ! -e "$DEVICES/$1/driver" ] || unbind "$1"
  echo 0 >"$DEVICES/$1/size"
  echo "$1" >"$REGION_DIR/delete"
}

# ---- guests ----

finish() {
  check_kernel_log
  [ "$failures" = 0 ]
}

install_guest() {
  mkdir -p "$CONSOLES" "$BOOT_FILES"
  chmod 0777 "$CONSOLES"
  cp "$1" "$BOOT_FILES/payload.elf"
  chmod 0644 "$BOOT_FILES/payload.elf"
}

uuid_of() {
  local sum
  sum=$(printf %s "$1" | md5sum)
  printf '%s-%s-4%s-8%s-%s\n' "${sum:0:8}" "${sum:8:4}" "${sum:13:3}" "${sum:17:3}" "${sum:20:12}"
}

# domain NAME SIZE METADATA [OPTION=VALUE...]: XML of a guest that runs the
# payload. Options: machine, type, cmdline, cpu (XML), numatune (XML), backing
# (XML), emulator, extra (XML in devices), kernel, initrd.
domain() {
  local name=$1 size=$2 metadata=$3 option
  local machine=pc type=qemu cmdline='then=hang' cpu='' numatune='' extra='' initrd=''
  local emulator=/usr/bin/daxcolor-qemu-system-x86_64 kernel=$BOOT_FILES/payload.elf
  local backing="<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"
  shift 3
  for option in "$@"; do
    local -n reference=${option%%=*}
    # shellcheck disable=SC2034 # what it refers to is used
    reference=${option#*=}
    unset -n reference
  done
  cat <<XML
<domain type='$type'>
  <name>$name</name>
  <uuid>$(uuid_of "$name")</uuid>
  <metadata>$metadata</metadata>
  <memory unit='MiB'>$size</memory>
  $backing
  <vcpu>${vcpus:-1}</vcpu>
  $numatune
  <os>
    <type arch='x86_64' machine='$machine'>hvm</type>
    <kernel>$kernel</kernel>
    ${initrd:+<initrd>$initrd</initrd>}
    <cmdline>$cmdline</cmdline>
  </os>
  <features><acpi/></features>
  $cpu
  <devices>
    <emulator>$emulator</emulator>
    <serial type='file'><source path='$CONSOLES/$name'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    $extra
  </devices>
</domain>
XML
}

# tenant NAME [CELLS]: our metadata.
tenant() {
  printf "<daxcolor:memory xmlns:daxcolor='urn:daxcolor:domain:1' tenant='%s'>%s</daxcolor:memory>" \
    "$1" "${2:-}"
}

# define NAME SIZE METADATA [OPTION=VALUE...]
define() {
  rm -f "$CONSOLES/$1"
  domain "$@" >"/tmp/$1.xml"
  virsh -q -c "$URI" define "/tmp/$1.xml" >/dev/null
}

start() {
  rm -f "$CONSOLES/$1"
  virsh -q -c "$URI" start "$1"
}

destroy() {
  virsh -q -c "$URI" destroy "$1"
}

undefine() {
  virsh -q -c "$URI" undefine --managed-save "$1" >/dev/null
}

# says NAME REGEX [SECONDS]: the guest's console.
says() {
  wait_text "$CONSOLES/$1" "$2" "${3:-120}"
}

# Device numbers of the character devices that process PID has mapped.
mapped_devices() {
  local file
  for file in "/proc/$1"/map_files/*; do
    [ -c "$file" ] || continue
    stat -L -c '%Hr:%Lr' "$file"
  done | sort -u
}

# instances_of NAME: names of the dax devices that a guest's QEMU has mapped,
# found by device number in sysfs.
instances_of() {
  local number path
  for number in $(mapped_devices "$(domain_pid "$1")"); do
    path=$(readlink -f "/sys/dev/char/$number")
    case ${path##*/} in dax*.*) printf '%s\n' "${path##*/}" ;; esac
  done
}

# extents_of INSTANCE: "START END" in decimal, in order of page offset.
extents_of() {
  local mapping
  for mapping in "$DEVICES/$1"/mapping[0-9]*; do
    printf '%d %d %d\n' "$(<"$mapping/page_offset")" "$(<"$mapping/start")" "$(<"$mapping/end")"
  done | sort -n | cut -d ' ' -f 2-
}

# colors_of NAME: colors of every GiB of the guest's memory, by the geometry of
# the virtual host, which the test knows and does not ask for.
colors_of() {
  local instance start end at
  for instance in $(instances_of "$1"); do
    while read -r start end; do
      for ((at = start; at < end; at += GIB)); do
        printf '%d\n' $(((at - REGION_START) / GIB % COLORS))
      done
    done < <(extents_of "$instance")
  done | sort -nu | tr '\n' ' ' | sed 's/ $//'
}

# Every start is on a 1 GiB boundary.
starts_are_aligned() {
  local instance start end
  for instance in $(instances_of "$1"); do
    while read -r start end; do
      ((start % GIB == 0)) || return 1
    done < <(extents_of "$instance")
  done
}

extent_count() {
  local instance
  for instance in $(instances_of "$1"); do
    extents_of "$instance"
  done | wc -l
}

# page_size_of NAME: KernelPageSize in kB of the guest's memory, from smaps.
page_size_of() {
  awk '
    /^[0-9a-f]+-[0-9a-f]+ / { dax = /daxcolor\.cell/ }
    dax && /^KernelPageSize:/ { print $2 }' "/proc/$(domain_pid "$1")/smaps" | sort -u
}

# in_cgroup_of NAME COMMAND...: as root, but with the device cgroup of a guest.
in_cgroup_of() {
  local group
  group=$(cut -d : -f 3 "/proc/$(domain_pid "$1")/cgroup")
  shift
  bash -c 'echo $$ >"/sys/fs/cgroup$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

# All instances that hold memory, as the kernel sees them; seeds and empty ones hold none.
kernel_instances() {
  local device
  for device in "$DEVICES"/dax*; do
    [ "$(<"$device/size")" = 0 ] || printf '%s\n' "${device##*/}"
  done | tr '\n' ' '
}

ledger_rows() {
  sqlite3 -readonly /var/lib/daxcolor/ledger.db 'SELECT count(*) FROM carving' 2>/dev/null || echo 0
}

# nothing_left: neither the kernel, nor the ledger, nor libvirt's memory
# directory has anything of a guest.
nothing_left() {
  local devices rows nodes
  devices=$(kernel_instances)
  rows=$(ledger_rows)
  nodes=$(find /var/lib/libvirt/qemu/ram -type c 2>/dev/null | wc -l)
  [ -z "$devices" ] && [ "$rows" = 0 ] && [ "$nodes" = 0 ] && return
  printf 'instances: %s; ledger rows: %s; nodes: %s\n' "${devices:-none}" "$rows" "$nodes"
  return 1
}

# small_granules MIB [LINE...]: only a little of the region is used, so that all of it is quickly
# zeroed and searched: 8 colors of 2 granules of MIB each. Colors 0 and 1 are two ranges of 2 * MIB.
# LINEs are for section [daxcolor].
small_granules() {
  local size=$(($1 << 20)) base color ranges=''
  shift
  for base in $REGION_START $((REGION_START + 4 * GIB)); do
    for color in {0..7}; do
      printf -v ranges '%s0x%x-0x%x:%d; ' "$ranges" $((base + color * size)) \
        $((base + (color + 1) * size - 1)) "$color"
    done
  done
  mkdir -p /etc/daxcolor
  {
    printf '[daxcolor]\n'
    [ $# = 0 ] || printf '%s\n' "$@"
    printf '[cache 1]\nkind = ranges\ngranule = %d\nranges = %s\n' "$size" "${ranges%; }"
  } >/etc/daxcolor/daxcolor.conf
}

# Whether this build's daxcolor VERB has --OPTION; without one, whether it has VERB.
knows() {
  daxcolor "$1" --help 2>/dev/null | grep -q -- "${2:+--$2}"
}

ledger() {
  sqlite3 -readonly /var/lib/daxcolor/ledger.db "$@"
}

# The same, as it lies there after a crash: looking must not roll its journal back.
peek() {
  rm -rf /run/peek
  cp -r /var/lib/daxcolor /run/peek
  sqlite3 /run/peek/ledger.db "$@"
}

# Instances without memory that an interrupted carving left.
empty_instances() {
  local device
  for device in "$DEVICES"/dax*; do
    [ "$(<"$device/size")" != 0 ] || is_seed "${device##*/}" || printf '%s\n' "${device##*/}"
  done | tr '\n' ' '
}

# explained: every instance that holds memory is an active carving's, with exactly its
# granules; every active carving has its instance; nothing is half made; the database is whole.
# Reads the ledger's tables, and asks daxcolor nothing.
explained() {
  local instance start end carving known problems=0 row
  problem() {
    printf '%s\n' "$*"
    problems=1
  }
  [ "$(ledger 'PRAGMA integrity_check; PRAGMA foreign_key_check')" = ok ] || problem "the ledger is damaged"
  while read -r row; do
    [ -z "$row" ] || problem "half made: carving $row"
  done < <(ledger "SELECT id, name, state FROM carving WHERE state <> 'active'")
  known=' '
  while IFS='|' read -r carving instance; do
    [ -n "$carving" ] || continue
    known+="$instance "
    [ -e "$DEVICES/$instance" ] || { problem "carving $carving: no instance $instance"; continue; }
    [ "$(extents_of "$instance" | awk '{ printf "%.0f %.0f\n", $1, $2 + 1 }' | merged)" = \
      "$(ledger "SELECT start || ' ' || (start + size) FROM granule WHERE carving = $carving
        ORDER BY page_order" | merged)" ] ||
      problem "carving $carving: $instance has other memory"
  done < <(ledger "SELECT id, instance FROM carving WHERE state = 'active'")
  for instance in $(kernel_instances); do
    [[ $known == *" $instance "* ]] || problem "instance $instance is nobody's"
  done
  [ -z "$(empty_instances)" ] || problem "empty instances: $(empty_instances)"
  [ "$(ledger "SELECT count(*) FROM granule WHERE state = 'held' AND carving IS NULL")" = 0 ] ||
    problem "granules are held by nobody"
  return "$problems"
}

# Ranges as "START END", END exclusive, with neighbors merged.
merged() {
  awk '{ if (NR > 1 && $1 == end) { end = $2; next } if (NR > 1) print start, end; start = $1; end = $2 }
    END { if (NR) print start, end }' OFMT=%.0f CONVFMT=%.0f
}

# timed COMMAND...: its output to stderr; its status; milliseconds in $milliseconds.
timed() {
  local begin=${EPOCHREALTIME/./} status=0
  "$@" >&2 || status=$?
  # shellcheck disable=SC2034 # for the caller
  milliseconds=$(((${EPOCHREALTIME/./} - begin) / 1000))
  return "$status"
}

comes_to_nothing() {
  wait_for "${1:-30}" nothing_left
  nothing_left
}

# agrees NAME: what the ledger says of a running guest is what the kernel says.
agrees() {
  local instance
  for instance in $(instances_of "$1"); do
    daxcolor show "$1" --json | jq -e --arg name "$instance" \
      'any(.. | objects; .instance? == $name)' >/dev/null || return 1
  done
}
