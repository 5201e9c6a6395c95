#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# in-vm.sh BUILD: the part of ./dev bench that needs a kernel with device-dax.
set -euo pipefail
build=$1
rounds=20

config=$(mktemp)
printf '[daxcolor]\nzero=never\n' >"$config"
BENCH_CONFIG=$config "$build/tests/bench/bench-kernel" "$rounds"

# The same as whole processes: what an administrator would type.
map=$(mktemp)
cat >"$map" <<'JSON'
{"chardev":"dax0.1","size":2147483648,"target_node":1,"align":1073741824,"mode":"devdax",
 "mappings":[{"page_offset":0,"start":4294967296,"end":5368709119,"size":1073741824},
             {"page_offset":1073741824,"start":8589934592,"end":9663676415,"size":1073741824}]}
JSON
"$build/tests/bench/bench-exec" "$rounds" /dev/null \
  "carve and release 2 x 1 GiB: daxctl=sh -c 'exec 2>/dev/null; daxctl create-device -r 0 -a 1g --input $map && daxctl disable-device dax0.1 && daxctl destroy-device dax0.1'" \
  "carve and release 2 x 1 GiB: daxcolor=sh -c 'daxcolor --config $config carve --size 2G --tenant bench --name bench && daxcolor --config $config release bench'"
