#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: in-vm.sh PROGRAM PART... [-- OPTION...]
#
# Tests of the driver on the virtual host's memory: programs' parts (check-driver) and scripts of this
# directory, each followed by a look into the kernel's log. PART@small runs on the small region that was
# reserved at boot.
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/driver/lib.sh
. "$here/lib.sh"

program=$1
shift
parts=()
while [ $# -gt 0 ]; do
  [ "$1" != -- ] || { shift && break; }
  parts+=("$1")
  shift
done

# run_part PART OPTION...
run_part() {
  local part=$1 region
  shift
  load_driver
  region=$(large_region)
  [[ $part != *@small ]] || region=$(small_region)
  case $part in
    vfio) give_card_to_vfio ;;
    vhost) modprobe -a tun vhost_net || vm_die "no vhost-net" ;;
  esac
  "$program" --region "$region" --file "$(file_for_direct_io)" \
    --module "$(claimant "$program")" "$@" "${part%@*}"
}

# may_complain PART: 6.1 does, of what a process does to its own page tables, and no driver can help it.
may_complain() {
  [ "$1" = stale ] && [ "$DAXCOLOR_VM_KERNEL" = 6.1 ] || return
  ! kernel_complaints | grep -v 'bad pmd' || return
  dmesg -C
  complaints_seen=0
}

for part in "${parts[@]}"; do
  started=$SECONDS
  if [ -x "$here/$part.sh" ]; then
    "$here/$part.sh" "$program"
  else
    run_part "$part" "$@"
  fi || failures=$((failures + 1))
  may_complain "$part" || check_kernel_log "$part"
  printf '# %s took %s s\n' "$part" $((SECONDS - started))
done
[ "$failures" = 0 ]
