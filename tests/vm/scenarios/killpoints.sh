#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever changes a host is killed at its state-changing system calls; recovery
# then makes ledger and kernel whole: killpoints.sh
#
# DAXCOLOR_POINTS of each operation (default 3), spread evenly; with DAXCOLOR_LONG all of them.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

points_each=${DAXCOLOR_POINTS:-3}
[ -z "${DAXCOLOR_LONG:-}" ] || points_each=all
readonly POINTS=$points_each
readonly HOOK=/etc/libvirt/hooks/qemu.d/daxcolor REGION=/sys/bus/dax/devices/dax0.0
readonly CHANGES=write,pwrite64,pwritev,fdatasync,fsync,ftruncate,fallocate,unlink,unlinkat,rename,renameat2,mkdir,mknodat,fchmod,fchown,utimensat
# Milliseconds; or walks through sysfs, some 7 of which are usual, where the machine is slower than most.
readonly BOUND=2000 MOST_WALKS=10
# shellcheck disable=SC2054 # the comma is in a list of colors
readonly CARVE=(daxcolor carve --size 256M --tenant red --node 1 --color-list 0,1
  --uuid "$(uuid_of victim)" --name victim)
points=0 missed=0 slowest=0 walk=0 half=0

# ---- what is killed: before_OPERATION makes the state, run_OPERATION works on it ----

before_prepare() { :; }
run_prepare() { "$@" "$HOOK" victim prepare begin - </run/victim.xml; }

before_carve() { :; }
run_carve() { "$@" "${CARVE[@]}"; }

before_release() { "${CARVE[@]}"; }
run_release() { "$@" daxcolor release "$(uuid_of victim)"; }

# Half of a carving: the instance is made, and nobody has said that it is good.
before_recover() { killed_at fdatasync "$half" run_carve; }
run_recover() { "$@" daxcolor recover; }

before_scrub() { daxcolor scrub && "${CARVE[@]}" && daxcolor release "$(uuid_of victim)"; }
run_scrub() { "$@" daxcolor scrub; }

# ---- killing ----

# calls_of COMMAND...: its state-changing calls as "NAME NTH", NTH counted for each name in each
# process, as strace does.
calls_of() {
  rm -f /run/trace
  "$@" strace -f -qq -o /run/trace -e "trace=$CHANGES" -e signal=none >/dev/null
  awk '$2 ~ /^[a-z0-9]+\(/ { sub(/\(.*/, "", $2); print $2, ++seen[$1 " " $2] }' /run/trace
}

# killed_at NAME NTH COMMAND...: before the call is made.
killed_at() {
  local name=$1 nth=$2 status=0
  shift 2
  # In a shell of its own, which may say "Killed".
  ("$@" strace -f -qq -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$nth") \
    >/dev/null 2>&1 || status=$?
  [ "$status" = 137 ]
}

forget() {
  daxcolor release "$(uuid_of victim)" >/dev/null 2>&1
}

# Which fdatasync of a carving comes when the instance is made and the intent still stands.
find_half() {
  local nth
  for ((nth = $1; nth > 0; nth--)); do
    before_carve
    if killed_at fdatasync "$nth" run_carve && [ -n "$(kernel_instances)" ] &&
      [ "$(peek 'SELECT state FROM carving')" = intent ]; then
      forget
      half=$nth
      return
    fi
    forget
  done
  return 1
}

# Everything that the kernel shows of device-dax, read once.
walk_sysfs() {
  find -L "$(dirname "$(readlink -f "$REGION")")" -maxdepth 3 -type f -readable -exec cat {} + 2>/dev/null
}

# kill_at OPERATION NAME NTH: one point.
kill_at() {
  local operation=$1 name=$2 nth=$3 what="$1, killed at $2 $3" status=0
  "before_$operation" >/dev/null 2>&1
  if ! killed_at "$name" "$nth" "run_$operation"; then
    missed=$((missed + 1))
    forget
    return
  fi
  points=$((points + 1))
  timed daxcolor recover 2>/run/recovery || status=$?
  same "$what: recovery succeeds" 0 "$status"
  [ "$status" = 0 ] || sed 's/^/#   /' /run/recovery
  ((milliseconds <= slowest)) || slowest=$milliseconds
  check "$what: ledger and kernel agree" explained
  forget
  check "$what: everything comes back" nothing_left
}

kill_all() {
  local operation=$1 calls step=1
  "before_$operation" >/dev/null 2>&1
  mapfile -t calls < <(calls_of "run_$operation")
  forget
  if [ ${#calls[@]} = 0 ]; then
    check "$operation changes something" false
    return
  fi
  [ "$POINTS" = all ] || step=$(((${#calls[@]} + POINTS - 1) / POINTS))
  printf '# %s: %s state-changing calls\n' "$operation" "${#calls[@]}"
  for ((i = RANDOM % step; i < ${#calls[@]}; i += step)); do
    # shellcheck disable=SC2086 # two words
    kill_at "$operation" ${calls[i]}
  done
}

small_granules 64
domain victim 256 "$(tenant red "<daxcolor:cell id='0' list='0,1'/>")" >/run/victim.xml
whole=$(cat "$(dirname "$(readlink -f "$REGION")")/dax_region/available_size")
syncs=$(calls_of run_carve | grep -c '^fdatasync')
same "the instance has two ranges" 2 "$(extents_of "$(kernel_instances | tr -d ' ')" | wc -l)"
forget
find_half "$syncs"
same "a carving can be stopped half made" 0 $?

operations=(prepare carve release recover)
! knows scrub || operations+=(scrub)
for operation in "${operations[@]}"; do
  kill_all "$operation"
done

timed walk_sysfs 2>/dev/null
walk=$milliseconds
printf '# %s points, %s not reached; slowest recovery %s ms, a walk through sysfs %s ms\n' \
  "$points" "$missed" "$slowest" "$walk"
bound=$((MOST_WALKS * walk > BOUND ? MOST_WALKS * walk : BOUND))
check "no recovery takes more than $BOUND ms, or $MOST_WALKS walks through sysfs" test "$slowest" -le "$bound"
check "points were reached: $points" test "$points" -ge "$(if [ "$POINTS" = all ]; then echo 50; else echo $((2 * POINTS)); fi)"
check "nothing is left" nothing_left
same "the region is whole again" "$whole" \
  "$(cat "$(dirname "$(readlink -f "$REGION")")/dax_region/available_size")"
check "all of it can be had" daxcolor plan --size 1G --tenant everybody --node 1
rm -f /etc/daxcolor/daxcolor.conf
finish
