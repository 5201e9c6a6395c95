#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The audit is silent while two tenants' guests run, start and end; breaches planted
# for real are found under their codes and nothing else is; after each is undone
# there is silence again.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"
readonly LEDGER=/var/lib/daxcolor/ledger.db CONFIG=/etc/daxcolor/daxcolor.conf
readonly RAM=/var/lib/libvirt/qemu/ram

silent() {
  daxcolor audit
}

# finds CODE...: exactly these, in order of the alphabet; exit status 1.
finds() {
  local status=0 codes
  daxcolor audit --json >/tmp/certificate || status=$?
  codes=$(jq -r '.breaches[].code' /tmp/certificate | sort | xargs)
  [ "$status" = 1 ] && [ "$codes" = "$*" ] && return
  printf 'status %s, codes: %s\n' "$status" "$codes"
  jq -r '.breaches[] | .code + ": " + .what + ": " + .why' /tmp/certificate
  return 1
}

# undone WHAT: after what was planted is gone.
undone() {
  check "$1 undone: silence" silent
}

edit_ledger() {
  sqlite3 "$LEDGER" "$1"
}

# Maps all of a device, and waits.
gcc -o /tmp/mapper -x c - <<'C' || exit 1
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	size_t size = strtoull(argv[2], 0, 0), align = 1 << 30;
	char *at = mmap(0, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(argv[1], O_RDWR);
	at = (char *)(((unsigned long)at + align - 1) & ~(align - 1));
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return 1;
	close(fd);
	write(1, "mapped\n", 7);
	for (;;)
		pause();
}
C

check "a host that runs nothing: silence" silent
define red 1024 "$(tenant red)"
define blue 1024 "$(tenant blue)"
check "red starts" start red
check "blue starts" start blue
check "two tenants' guests run: silence" silent
daxcolor audit --json >/tmp/certificate
same "libvirt was asked" true "$(jq .libvirt.asked /tmp/certificate)"
same "the certificate has the boot" "$(cat /proc/sys/kernel/random/boot_id)" \
  "$(jq -r .boot_id /tmp/certificate)"
for guest in red blue; do
  same "$guest: who maps its memory is its QEMU, by its node" \
    "$(domain_pid $guest) true $RAM/$(virsh -c "$URI" domid $guest | head -n 1)-$guest/daxcolor.cell0" \
    "$(jq -r --arg uuid "$(uuid_of $guest)" '.instances[] | select(.uuid == $uuid) |
      .processes[] | "\(.pid) \(.mapped) \(.path)"' /tmp/certificate)"
  same "$guest: its color is the kernel's" "$(colors_of $guest)" \
    "$(jq -r --arg tenant $guest '.instances[] | select(.tenant == $tenant) |
      .colors[]' /tmp/certificate | xargs)"
done
red=$(instances_of red) blue=$(instances_of blue)
red_color=$(colors_of red)

# Another guest comes and goes all the time meanwhile.
define busy 1024 "$(tenant busy)"
(while [ ! -e /tmp/enough ]; do start busy && destroy busy; done) &
for _ in 1 2 3 4 5 6; do
  check "while a guest starts and ends: silence" silent
done
touch /tmp/enough
wait $!
undefine busy

# Where the kernel knows claims, the claim must be given back before anybody can.
not_claimed=()
if [ -n "$CLAIMS" ]; then
  refused "nobody else opens a guest's instance" 'busy' head -c 1 "/dev/$red"
  not_claimed=(carving-not-claimed)
  unclaim "$red"
fi
tail -f /dev/null 3<"/dev/$red" &
check "a process that has a guest's instance open is found" finds "${not_claimed[@]}" process-foreign
kill $!
wait $! 2>/dev/null

/tmp/mapper "/dev/$red" $GIB >/tmp/mapped &
wait_text /tmp/mapped mapped 20
check "a process that has it mapped is found" finds "${not_claimed[@]}" process-foreign
same "and said to have it mapped only" "false true" \
  "$(jq -r '.instances[].processes[] | select(.name == "mapper") |
    "\(.open) \(.mapped)"' /tmp/certificate)"
kill $!
wait $! 2>/dev/null
[ -z "$CLAIMS" ] || daxcolor recover >/dev/null
undone "both"

free=$(by_hand $((REGION_START + 3 * GIB)) $GIB $GIB)
bind "$free"
check "an instance made by hand on a free color is found" finds instance-unexplained
tail -f /dev/null 3<"/dev/$free" &
check "a process that has it open is found" finds instance-unexplained process-unexplained
kill $!
wait $! 2>/dev/null
take_away "$free"
undone "both"

# made_by_hand WHAT START SIZE ALIGN CODE...: found under these codes, where the kernel lets it be made.
made_by_hand() {
  local what=$1 name
  if ! name=$(by_hand "$2" "$3" "$4" 2>/dev/null); then
    same "$what: the kernel refuses" yes "$KERNEL_REFUSES"
    return
  fi
  same "$what: the kernel makes it" "" "$KERNEL_REFUSES"
  check "$what: it is found" finds "${@:5}"
  take_away "$name"
  undone "that"
}

made_by_hand "an instance made by hand on red's color" $((REGION_START + (4 + red_color) * GIB)) $GIB $GIB \
  color-intruded instance-unexplained
made_by_hand "a misaligned instance" $((REGION_START + 3 * GIB - (2 << 20))) $GIB $GIB \
  instance-misaligned instance-unexplained

chmod 0666 "$LEDGER"
check "a ledger that others can write is found" finds ledger-writable
chmod 0600 "$LEDGER"
undone "that"

edit_ledger "UPDATE carving SET tenant = 'mallory' WHERE name = 'blue'"
# A kernel that keeps colors apart knows whose they are.
owner_differs=()
[ -z "$KERNEL_REFUSES" ] || owner_differs=(owner-differs)
check "another tenant in the ledger is found" finds "${owner_differs[@]}" tenant-differs
edit_ledger "UPDATE carving SET tenant = 'blue' WHERE name = 'blue'"
undone "that"

was=$(edit_ledger "SELECT color FROM granule WHERE carving = (SELECT id FROM carving WHERE name = 'blue')")
edit_ledger "UPDATE granule SET color = 3 WHERE color = $was"
check "another color in the ledger is found" finds carving-geometry-differs
edit_ledger "UPDATE granule SET color = $was WHERE color = 3"
undone "that"

chmod 0666 "/dev/$blue"
check "a node in /dev that others can open is found" finds node-open
chmod 0600 "/dev/$blue"
undone "that"

stray=$(dirname "$(jq -r --arg uuid "$(uuid_of blue)" '.instances[] |
  select(.uuid == $uuid) | .processes[0].path' /tmp/certificate)")/daxcolor.cell1
mknod -m 0600 "$stray" c $((0x$(stat -c %t "/dev/$red"))) $((0x$(stat -c %T "/dev/$red")))
check "red's node in blue's memory directory is found" finds node-stray
rm "$stray"
undone "that"

mkdir -p "${CONFIG%/*}"
[ ! -e "$CONFIG" ] || cp -p "$CONFIG" /tmp/config
printf '[daxcolor]\nzero = never\n' >"$CONFIG"
if [ -n "$ZERO_NEVER_LEAKS" ]; then
  check "zeroing that is off is found" finds zeroing-off
else
  check "zeroing of ours that is off: the kernel's is enough" silent
fi
printf '[daxcolor]\n' >"$CONFIG"
chmod 0666 "$CONFIG"
check "a configuration that others can write is found" finds configuration-writable
rm "$CONFIG"
[ ! -e /tmp/config ] || mv /tmp/config "$CONFIG"
undone "both"

daxcolor carve --size 1G --tenant ghost --name ghost >/dev/null
check "a carving of a guest that does not run is found" finds carving-without-guest
daxcolor release ghost
undone "that"

cp -p "$LEDGER" /tmp/ledger
edit_ledger "PRAGMA foreign_keys = OFF;
  DELETE FROM granule WHERE carving = (SELECT id FROM carving WHERE name = 'blue');
  DELETE FROM carving WHERE name = 'blue'"
check "a guest that the ledger has lost is found" \
  finds guest-without-carving instance-unexplained node-stray process-unexplained
cp -p /tmp/ledger "$LEDGER"
undone "that"

stop_libvirtd
check "without libvirtd: silence, and said" \
  test "$(daxcolor audit | grep -c 'libvirt not asked')" = 1
start_libvirtd
undone "that"

# Stopped, it does not notice that its memory is gone. There is no way back: when an
# instance of mainline is bound again whose node was open, 6.12 panics as that node goes.
kill -STOP "$(domain_pid blue)"
unbind "$blue"
check "an instance taken from under its guest is found" finds "${TAKEN_AWAY_IS[@]}"
kill -KILL "$(domain_pid blue)"
check "when that guest has ended, the other stays" wait_domain blue 'shut off' 60
wait_for 30 silent
undone "that"

destroy red
check "nothing is held" comes_to_nothing
check "nothing runs any more: silence" silent
undefine red
undefine blue
finish
