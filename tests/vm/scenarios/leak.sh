#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What one tenant leaves in memory, the next cannot find; with zero = never it
# can, so the search is good: leak.sh PAYLOAD BUILD
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"
readonly OCCUPANT=$2/tests/vm/occupant
readonly COLORS_WANTED="<daxcolor:cell id='0' list='0,1'/>"

if [ -n "${DAXCOLOR_LONG:-}" ]; then
  readonly GUEST_ROUNDS=5 PROCESS_ROUNDS=100
else
  readonly GUEST_ROUNDS=1 PROCESS_ROUNDS=10
fi

# ---- guests ----

ranges_of() {
  local instance
  for instance in $(instances_of "$1"); do
    extents_of "$instance"
  done
}

# A guest of tenant FIRST fills its memory and is killed; one of tenant SECOND gets the same
# ranges and searches them. Its console stays.
guest_after_guest() {
  local first=$1 second=$2 ranges
  define "$first" 256 "$(tenant "$first" "$COLORS_WANTED")" cmdline='pattern=0ddba11 then=hang'
  define "$second" 256 "$(tenant "$second" "$COLORS_WANTED")" \
    cmdline='search=0ddba11 pattern=600d then=hang'
  check "$first: a guest starts" start "$first"
  check "$first: it fills its memory" says "$first" 'daxcolor-guest: [0-9]+ pages ok.?$'
  ranges=$(ranges_of "$first")
  kill -KILL "$(domain_pid "$first")"
  check "$first: it is killed" wait_domain "$first" 'shut off' 30
  check "$second: a guest starts" start "$second"
  same "$second: it has the very same memory" "$ranges" "$(ranges_of "$second")"
  check "$second: it searches all of it" says "$second" 'search .* pages found'
  check "$second: it writes and reads back every page" says "$second" 'daxcolor-guest: [0-9]+ pages ok.?$'
  destroy "$second"
  undefine "$first"
  undefine "$second"
}

found_by() {
  sed -n 's/.*search [^:]*: \([0-9]*\) pages found, \([0-9]*\) pages not zero.*/\1 \2/p' "$CONSOLES/$1"
}

small_granules 64
for ((round = 1; round <= GUEST_ROUNDS; round++)); do
  guest_after_guest "a$round" "b$round"
  read -r found used <<<"$(found_by "b$round")"
  same "guests, round $round: pages of the pattern found" 0 "$found"
  check "guests, round $round: no more than the firmware's $used pages are not zero" test "$used" -lt 100
done

small_granules 64 'zero = never'
guest_after_guest never1 never2
read -r found used <<<"$(found_by never2)"
if [ -n "$ZERO_NEVER_LEAKS" ]; then
  check "guests, without zeroing: the pattern is found (in $found pages)" test "$found" -gt 60000
else
  same "guests, without zeroing of ours: the kernel's is enough" 0 "$found"
fi

# ---- a process in the guest's place ----

# occupy TENANT: carves, looks and fills, is killed, releases. Prints the ranges and what the
# occupant found.
occupy() {
  local instance found status=0
  daxcolor carve --size 8M --tenant "$1" --node 1 --color-list 0,1 --uuid "$(uuid_of "$1")" \
    --name "$1" >/dev/null || return
  instance=$(kernel_instances | tr -d ' ')
  extents_of "$instance" | tr '\n' ' '
  found=$("$OCCUPANT" "/dev/$instance" c0ffee) || status=$?
  printf '%s\n' "$found"
  [ "$status" = 137 ] || printf 'the occupant ended with status %s\n' "$status"
  daxcolor release "$(uuid_of "$1")" >/dev/null
}

# Background zeroing, done, interrupted, or not begun: never does the next tenant notice.
scrub_perhaps() {
  case $(($1 % 4)) in
    1) daxcolor scrub ;;
    2)
      strace -f -qq -o /dev/null -e trace=pwrite64 \
        -e "inject=pwrite64:signal=KILL:when=$((RANDOM % 40 + 1))" daxcolor scrub
      ;;
    3) timeout --signal KILL "0.$((RANDOM % 5 + 1))" daxcolor scrub ;;
  esac
  return 0
}

# occupied_in_turn ROUNDS [COMMAND]: lines of occupy(), by two tenants in turn, with COMMAND
# and the number of the round between.
occupied_in_turn() {
  local round
  for ((round = 1; round <= $1; round++)); do
    occupy "$([ $((round % 2)) = 0 ] && echo even || echo odd)"
    # A shell of its own keeps quiet about what is killed.
    [ -z "${2:-}" ] || (set +m && "$2" "$round") >/dev/null 2>&1
  done
}

small_granules 2
occupied_in_turn "$PROCESS_ROUNDS" scrub_perhaps >/run/rounds
same "processes: all rounds went well" "" "$(grep -v 'occupant: ' /run/rounds)"
same "processes: $PROCESS_ROUNDS rounds" "$PROCESS_ROUNDS" "$(wc -l </run/rounds)"
same "processes: all on the very same memory, all of it zero" 1 "$(sort -u /run/rounds | wc -l)"
same "processes: words found in $PROCESS_ROUNDS rounds" "1048576 words, 0 of the pattern, 0 not zero" \
  "$(sed 's/.*occupant: //' /run/rounds | sort -u)"

small_granules 2 'zero = never'
occupied_in_turn 2 >/run/rounds
words=1048576
[ -n "$ZERO_NEVER_LEAKS" ] || words=0
same "processes, without zeroing of ours: of the pattern is found what the kernel leaves" \
  "1048576 words, $words of the pattern, $words not zero" \
  "$(sed -n '2s/.*occupant: //p' /run/rounds)"

rm /etc/daxcolor/daxcolor.conf
check "nothing is held" comes_to_nothing
finish
