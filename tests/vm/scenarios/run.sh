#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: run.sh SCENARIO[,SCENARIO...] [ARGUMENT...]
#
# Does to the virtual host what an administrator does to a real one after
# installing, then runs scenarios, one after the other.
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/vm/lib.sh
. "$DAXCOLOR_VM_LIB"

scenarios=$1
shift
[ "${DAXCOLOR_BACKEND:-mainline}" = mainline ] || load_dax_color
daxcolor doctor --fix | sed 's/^/# /'
restart_libvirtd
status=0
for scenario in ${scenarios//,/ }; do
  started=$SECONDS
  printf '# %s\n' "$scenario"
  "$here/$scenario.sh" "$@" || status=1
  printf '# %s took %s s\n' "$scenario" $((SECONDS - started))
done
exit "$status"
