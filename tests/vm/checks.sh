# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tests in the virtual host say: "ok - WHAT", "not ok - WHAT".

failures=0

# check WHAT COMMAND...: one test; what the command printed is shown when it fails.
check() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'ok - %s\n' "$what"
  else
    printf 'not ok - %s\n' "$what"
    [ -z "$output" ] || sed 's/^/#   /' <<<"$output"
    failures=$((failures + 1))
  fi
}

# refused WHAT REGEX COMMAND...: COMMAND fails, and says what REGEX wants.
refused() {
  local what=$1 regex=$2 output status=0
  shift 2
  output=$("$@" 2>&1) || status=$?
  if [ "$status" != 0 ] && grep -Eq -- "$regex" <<<"$output"; then
    printf 'ok - %s\n' "$what"
  else
    printf 'not ok - %s\n#   status %s, wanted a message like /%s/, got:\n' "$what" \
      "$status" "$regex"
    sed 's/^/#   /' <<<"$output"
    failures=$((failures + 1))
  fi
}

# same WHAT WANT GOT
same() {
  check "$1" test "$2" = "$3" || :
  [ "$2" = "$3" ] || printf '#   wanted %s, got %s\n' "$2" "$3"
}

# kernel_complaints: lines of the kernel's log that must never be there.
kernel_complaints() {
  local patterns=(
    WARNING BUG Oops 'general protection' 'unable to handle' '[Cc]all [Tt]race'
    'bad p[gu4m]d' 'Bad (page|rss)' 'page dumped because' refcount_t 'list_(add|del) corruption'
    KASAN UBSAN KCSAN 'kmemleak: [0-9]' 'ODEBUG: .*object'
    'possible .*(deadlock|lock|recursi|inver)' 'inconsistent lock state'
    'scheduling while atomic' 'sleeping function'
    'suspicious RCU' 'rcu:.*(stall|detected)' 'INFO: ' 'soft lockup' 'hard LOCKUP' 'blocked for more than'
    'cannot create duplicate' 'already present'
  )
  local IFS='|'
  dmesg | grep -aE "${patterns[*]}"
}

# leaks: what the kernel of tests/kasan says that nobody knows any more, but was not freed. An object counts when it is
# five seconds old; a second scan is for those that moved during the first. Each is shown once.
leaks() {
  local kmemleak=/sys/kernel/debug/kmemleak
  [ -e "$kmemleak" ] || return 0
  sleep 6
  echo scan >"$kmemleak" && echo scan >"$kmemleak" && cat "$kmemleak" && echo clear >"$kmemleak"
}

# lockdep says one thing and is off from then on.
lockdep_is_on() {
  [ ! -e /proc/lockdep_stats ] || grep -q '^ *debug_locks: *1' /proc/lockdep_stats
}

# The kernel must have nothing to complain of, whatever was tested. Each complaint is shown once.
complaints_seen=0
check_kernel_log() {
  local complaints
  [ ! -e /sys/kernel/debug/kmemleak ] || same "${1:+$1: }nothing leaked" "" "$(leaks)"
  [ ! -e /proc/lockdep_stats ] || check "${1:+$1: }lockdep looked on" lockdep_is_on
  complaints=$(kernel_complaints | tail -n +$((complaints_seen + 1)))
  same "${1:+$1: }no complaint in the kernel log" "" "$complaints"
  complaints_seen=$(kernel_complaints | wc -l)
}
