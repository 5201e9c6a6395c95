#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest of two NUMA cells on two cache domains. The cache of node 2, which is
# offline, is known from the raw HMAT only. For topology two-node.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"

# source_of NODE: where the geometry of its cache was learned.
source_of() {
  daxcolor regions --json | jq -r --argjson node "$1" \
    '.regions[] | select(.node == $node) | .cache.source'
}

# node_of_cell NAME CELL: target node of the instance behind a cell's mapping,
# told by the name of the node that the launcher put in place.
node_of_cell() {
  local pid number
  pid=$(domain_pid "$1")
  number=$(stat -c '%Hr:%Lr' "/proc/$pid/root$(awk -v cell="daxcolor.cell$2" \
    '$NF ~ cell "$" { print $NF; exit }' "/proc/$pid/maps")")
  cat "/sys/dev/char/$number/target_node"
}

same "node 1's cache is known from sysfs" sysfs "$(source_of 1)"
same "node 2's cache is known from the HMAT" HMAT "$(source_of 2)"

numa="<cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/><cell id='1' cpus='1' memory='2' unit='GiB'/></numa></cpu>"
cells="<daxcolor:cell id='0' node='2'/><daxcolor:cell id='1' node='1' colors='2'/>"
vcpus=2 define numa 3072 "$(tenant red "$cells")" cpu="$numa" cmdline='then=hang'
check "a guest of two cells starts" start numa
check "it writes and reads back every page" says numa 'daxcolor-guest: [0-9]+ pages ok'
same "two instances" 2 "$(instances_of numa | wc -l)"
same "cell 0 is on node 2" 2 "$(node_of_cell numa 0)"
same "cell 1 is on node 1" 1 "$(node_of_cell numa 1)"
same "mapped with 1 GiB pages" 1048576 "$(page_size_of numa)"
destroy numa
check "both cells come back" comes_to_nothing
undefine numa
finish
