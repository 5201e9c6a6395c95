#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's own traps, provoked, and how the library meets them:
# contract.sh PAYLOAD BUILD
[ -x "$2/tests/vm/check-kernel" ] || exit 0
if [ "${DAXCOLOR_BACKEND:-mainline}" = dax_color ]; then
  exec "$2/tests/vm/check-kernel" --dax-color
fi
exec "$2/tests/vm/check-kernel"
