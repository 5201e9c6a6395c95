#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The units, with systemd as process 1: systemd.sh PAYLOAD ROUND HOW
#
# Round 1 does what an administrator does after installing, starts a guest that is to
# come up by itself, and lets the host reset itself; round 2 looks at what became of it.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

round=$2 how=$3
readonly CONSOLE=/var/log/libvirt/qemu/auto.console GRANULES=16
readonly UNITS=(daxcolor-recover.service daxcolor-scrub.service daxcolor-scrub.path)

# verify UNIT: a unit that systemd has nothing to say about.
verify() {
  local said
  said=$(systemd-analyze verify --recursive-errors=no "$1" 2>&1) && [ -z "$said" ] && return
  printf '%s\n' "$said"
  return 1
}

# when UNIT PROPERTY: microseconds since the kernel began.
when() {
  systemctl show --value -p "$2" "$1"
}

granules_that_are() {
  ledger "SELECT count(*) FROM granule WHERE state = '$1'"
}

are() {
  [ "$(granules_that_are "$1")" = "$2" ]
}

is_active() {
  [ "$(systemctl is-active "$1")" = "$2" ]
}

first_life() {
  small_granules 64
  daxcolor doctor --fix >/dev/null
  for unit in "${UNITS[@]}"; do
    check "systemd has nothing to say about $unit" verify "$unit"
  done
  check "the units can be enabled" systemctl -q enable --now daxcolor-recover.service daxcolor-scrub.path
  check "libvirtd starts again with the hook" systemctl restart libvirtd.service
  domain auto 256 "$(tenant red "<daxcolor:cell id='0' list='0,1'/>")" kernel="$GUEST_PAYLOAD" \
    cmdline='search=5eedf00d pattern=5eedf00d then=hang' |
    sed "s|$CONSOLES/auto|$CONSOLE|" >/run/auto.xml
  check "a guest is to come up by itself" \
    bash -c "virsh -q define /run/auto.xml && virsh -q autostart auto"
  check "it starts" start auto
  check "it fills its memory" wait_text "$CONSOLE" 'daxcolor-guest: [0-9]+ pages ok.?$' 60
  sync
}

second_life() {
  local recovered started
  check "after the reset: libvirtd runs" is_active libvirtd.service active
  check "after the reset: recovery succeeded" is_active daxcolor-recover.service active
  recovered=$(when daxcolor-recover.service ActiveEnterTimestampMonotonic)
  started=$(when libvirtd.service ExecMainStartTimestampMonotonic)
  printf '# recovered at %s ms, libvirtd began at %s ms\n' $((recovered / 1000)) $((started / 1000))
  check "it was finished before libvirtd began" test "$recovered" -gt 0 -a "$recovered" -lt "$started"
  journalctl -b -o cat -u daxcolor-recover.service -u daxcolor-scrub.service | sed 's/^/# journal: /'
  check "the guest came up by itself" wait_domain auto running 60
  check "it found nothing of its life before" wait_text "$CONSOLE" 'search .*: 0 pages found, [0-9]{1,2} pages not zero' 60
  check "it works" wait_text "$CONSOLE" 'daxcolor-guest: [0-9]+ pages ok.?$' 60
  check "memory that nobody has became clean after the boot" wait_for 60 are clean $((GRANULES - 4))
  check "nobody scrubs any more" wait_for 20 is_active daxcolor-scrub.service inactive
  check "ledger and kernel agree" explained
  destroy auto
  check "when it has stopped, its memory becomes clean by itself" wait_for 60 are clean "$GRANULES"
  check "the scrubber ends" wait_for 20 is_active daxcolor-scrub.service inactive
  check "and waits for the next guest" is_active daxcolor-scrub.path active
  check "the kernel has no instances" test -z "$(kernel_instances)"
}

case $round in
  1) first_life ;;
  *) second_life ;;
esac
[ "$how" = last ] || reset_host
same "no unit failed" "" "$(systemctl list-units --failed --plain --no-legend)"
finish
