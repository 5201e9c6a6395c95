#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One life of a host that does not end well: reset.sh PAYLOAD ROUND HOW [SEED]
#
# After round 1: what the reset left is brought together before libvirt starts, as
# the units do it, and a guest on all of that memory reads zeros. Then guests of
# two tenants come and go until the host ends; tests/vm/resets boots it again. HOW:
#   cut      until somebody cuts the power
#   watchdog until it resets itself, at a random moment
#   stop     right after a random state-changing system call of a carving or a release
#   last     not at all
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

payload=$1 round=$2 how=$3
RANDOM=${4:-1}
readonly GUESTS=(red1 blue red2) PATTERN=5eedf00d
readonly CHANGES=write,pwrite64,fdatasync,fsync,ftruncate,unlink,unlinkat,rename,mknodat

bring_together() {
  if knows recover boot; then
    daxcolor recover --boot
  else
    daxcolor recover
  fi
}

found_states() {
  peek 'SELECT state, count(*) FROM carving GROUP BY state' | tr '\n|' ' =' || :
}

no_stale_nodes() {
  local nodes
  nodes=$(find /var/lib/libvirt/qemu/ram -type c 2>/dev/null)
  printf '%s\n' "$nodes"
  [ -z "$nodes" ]
}

define_guests() {
  define red1 256 "$(tenant red "<daxcolor:cell id='0' list='0,1'/>")" cmdline="pattern=$PATTERN then=hang"
  define blue 256 "$(tenant blue "<daxcolor:cell id='0' list='2,3'/>")" cmdline="pattern=$PATTERN then=hang"
  define red2 256 "$(tenant red "<daxcolor:cell id='0' list='4,5'/>")" cmdline="pattern=$PATTERN then=hang"
  define probe 768 "$(tenant probe "<daxcolor:cell id='0' list='0-5'/>")" cmdline="search=$PATTERN then=hang"
  ! knows reserve || check "round 1: two colors are reserved for tenant acme" \
    daxcolor reserve acme --node 1 --color-list 6,7
  sync -f /var/lib/daxcolor
}

after_reset() {
  printf '# round %s: before recovery the ledger has: %s\n' "$round" "$(found_states)"
  timed bring_together 2>/run/recovery
  same "round $round: recovery succeeds" 0 $?
  sed 's/^/# /' /run/recovery
  printf '# round %s: recovery took %s ms\n' "$round" "$milliseconds"
  check "round $round: ledger and kernel agree" explained
  same "round $round: no guest holds anything" 0 "$(ledger_rows)"
  same "round $round: the kernel has no instances" "" "$(kernel_instances)"
  same "round $round: nothing is held" 0 "$(ledger "SELECT count(*) FROM granule WHERE state = 'held'")"
  same "round $round: nothing counts as clean after a boot" 0 \
    "$(ledger "SELECT count(*) FROM granule WHERE state = 'clean'")"
  same "round $round: list shows nothing" 0 "$(daxcolor list --json | jq '.carvings + .foreign | length')"
  if knows recover boot; then
    check "round $round: no stale device node in a memory directory" no_stale_nodes
  fi
  if knows reserve; then
    same "round $round: the reserved colors are still acme's" "6 7" \
      "$(daxcolor reserve --json | jq -r '.reservations[] | select(.tenant == "acme") | .colors | map(tostring) | join(" ")')"
  fi
}

# Looks at all of the memory that the guests had when the host went down.
probe() {
  check "round $round: the domains are still defined" virsh -q -c "$URI" domuuid probe
  check "round $round: a guest starts" start probe
  check "round $round: it finds nothing of the guests before the reset" \
    says probe 'search 0x0*5eedf00d: 0 pages found, [0-9]{1,2} pages not zero'
  check "round $round: it writes and reads back every page" says probe 'daxcolor-guest: [0-9]+ pages ok.?$'
  [ "$failures" = 0 ] || tail -n 3 "$CONSOLES/probe" | sed 's/^/# /'
  destroy probe
  check "round $round: all of it comes back" wait_for 30 nothing_held
  same "round $round: the kernel has no instances when it has stopped" "" "$(kernel_instances)"
}

nothing_held() {
  [ "$(ledger_rows)" = 0 ]
}

something_held() {
  ! nothing_held
}

churn() {
  while :; do
    start "$1" && sleep $((RANDOM % 3)).$((RANDOM % 10)) && {
      if ((RANDOM % 2)); then destroy "$1"; else kill -KILL "$(domain_pid "$1")" && wait_domain "$1" 'shut off' 30; fi
    }
  done >/dev/null 2>&1
}

scrub_now_and_then() {
  while knows scrub; do
    daxcolor scrub
    sleep 0.$RANDOM
  done >/dev/null 2>&1
}

keep_busy() {
  local guest
  for guest in "${GUESTS[@]}"; do
    churn "$guest" &
    RANDOM=$((RANDOM + 1))
  done
  scrub_now_and_then &
  wait_for 60 something_held
  echo "# round $round: busy"
}

readonly CARVE=(daxcolor carve --size 256M --tenant red --node 1 --name stopped)

# What there must be for VERB to have work.
ready_for() {
  case $1 in
    carve) daxcolor release stopped ;;
    release) "${CARVE[@]}" ;;
    scrub) daxcolor scrub && "${CARVE[@]}" && daxcolor release stopped ;;
  esac >/dev/null 2>&1
}

stopped_or_gone() {
  grep -q 'stopped by SIGSTOP' /run/trace || process_gone "$1"
}

# stop_at VERB: carves, releases or scrubs until a random state-changing system call is
# done, and no further.
stop_at() {
  local verb=$1 calls name nth command=(daxcolor "$1")
  [ "$verb" != carve ] || command=("${CARVE[@]}")
  [ "$verb" != release ] || command+=(stopped)
  ready_for "$verb"
  strace -f -o /run/trace -e "trace=$CHANGES" "${command[@]}" >/dev/null 2>&1
  ready_for "$verb"
  mapfile -t calls < <(awk '$2 ~ /^[a-z0-9]+\(/ { sub(/\(.*/, "", $2); print $2, ++seen[$1 " " $2] }' /run/trace)
  read -r name nth <<<"${calls[RANDOM % ${#calls[@]}]}"
  printf '# round %s: %s stops after %s %s of %s calls\n' "$round" "$verb" "$name" "$nth" "${#calls[@]}"
  rm /run/trace
  strace -f -o /run/trace -e "trace=$CHANGES" -e "inject=$name:signal=STOP:when=$nth" \
    "${command[@]}" >/dev/null 2>&1 &
  # How often a scrubber commits is a matter of time: it may be done with fewer.
  wait_for 30 stopped_or_gone $!
  if [ "$verb" != scrub ] || grep -q 'stopped by SIGSTOP' /run/trace; then
    check "round $round: $verb is stopped in the middle" grep 'stopped by SIGSTOP' /run/trace
  fi
}

at() {
  local verb=$1 calls name nth arguments=(carve --size 256M --tenant red --node 1 --name stopped)
  [ "$verb" = carve ] || arguments=(release stopped)
  [ "$verb" = carve ] || daxcolor carve --size 256M --tenant red --node 1 --name stopped >/dev/null
  strace -f -o /run/trace -e "trace=$CHANGES" daxcolor "${arguments[@]}" >/dev/null
  [ "$verb" = release ] || daxcolor release stopped
  [ "$verb" = carve ] || daxcolor carve --size 256M --tenant red --node 1 --name stopped >/dev/null
  mapfile -t calls < <(awk '{ sub(/\(.*/, "", $2); print $2, ++seen[$1 $2] }' /run/trace | grep -v '^[+-]')
  read -r name nth <<<"${calls[RANDOM % ${#calls[@]}]}"
  printf '# round %s: %s stops after %s %s of %s calls\n' "$round" "$verb" "$name" "$nth" "${#calls[@]}"
  rm /run/trace
  strace -f -o /run/trace -e "trace=$CHANGES" -e "inject=$name:signal=STOP:when=$nth" \
    daxcolor "${arguments[@]}" >/dev/null 2>&1 &
  check "round $round: $verb is stopped in the middle" wait_text /run/trace 'stopped by SIGSTOP' 30
}

at() {
  printf '# round %s: at %s s: %s\n' "$round" "$(cut -d ' ' -f 1 /proc/uptime)" "$1"
}

small_granules 64
at prepared
daxcolor doctor --fix >/dev/null
install_guest "$payload"
[ "$round" = 1 ] || after_reset
start_libvirtd
at "libvirtd is up"
[ "$round" != 1 ] || define_guests
check "round $round: the doctor is content" daxcolor doctor
[ "$round" = 1 ] || probe
at probed
case $how in
  cut)
    keep_busy
    sleep 600
    ;;
  watchdog)
    keep_busy
    sleep $((RANDOM % 6)).$((RANDOM % 10))
    reset_host
    ;;
  stop)
    start red2
    verbs=(carve release)
    ! knows scrub || verbs+=(scrub)
    stop_at "${verbs[RANDOM % ${#verbs[@]}]}"
    reset_host
    ;;
esac
finish
