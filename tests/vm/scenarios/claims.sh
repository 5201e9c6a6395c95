#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is a guest's is the guest's alone: the kernel keeps everybody else away from its instances, and
# other tenants away from its colors, whatever root does by hand; and a claim whose maker has died is
# ended. For dax_color; mainline knows no claims.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "$DAXCOLOR_BACKEND" = mainline ]; then
  exit 0
fi
install_guest "$1"
readonly HOOK=/etc/libvirt/hooks/qemu.d/daxcolor LEDGER=/var/lib/daxcolor/ledger.db

put() {
  printf '%s\n' "$1" >"$2"
}

# claimed_by UUID INSTANCE...: each of them, once.
claimed_by() {
  local uuid=$1 name
  shift
  for name in "$@"; do
    [ "$(<"$DEVICES/$name/claim")" = "$uuid 1" ] || { echo "$name: $(<"$DEVICES/$name/claim")" && return 1; }
  done
}

# claims_of GUEST: as `daxcolor show` has them.
claims_of() {
  daxcolor show "$1" --json | jq -r '.carvings[].claim | "\(.uuid) \(.count) \(.shared)"' | sort -u
}

numa="<cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/><cell id='1' cpus='1' memory='1' unit='GiB'/></numa></cpu>"
vcpus=2 define red 2048 "$(tenant red "<daxcolor:cell id='0' list='0'/><daxcolor:cell id='1' list='1'/>")" cpu="$numa"
check "a guest of two cells starts" start red
check "it writes and reads back every page" says red 'daxcolor-guest: [0-9]+ pages ok'
mapfile -t both < <(instances_of red)
same "two instances" 2 ${#both[@]}
check "both are claimed for it" claimed_by "$(uuid_of red)" "${both[@]}"
same "show says so" "$(uuid_of red) 1 false" "$(claims_of red)"
check "list says so" bash -c "daxcolor list | grep -c ' own\$' | grep -qx 2"
check "the audit has nothing to say" daxcolor audit

for name in "${both[@]}"; do
  refused "$name: nobody else opens it" 'busy' head -c 1 "/dev/$name"
  refused "$name: it is not emptied" 'busy' put 0 "$DEVICES/$name/size"
  refused "$name: it is not deleted" 'busy' put "$name" "$REGION_DIR/delete"
  refused "$name: another guest does not claim it" 'busy' put "$(uuid_of blue) $name" "$DEVICES/claim"
  refused "$name: another guest does not release it" 'not permitted' put "$(uuid_of blue) $name" "$DEVICES/release"
done
check "it is as it was" claimed_by "$(uuid_of red)" "${both[@]}"
refused "daxcolor does not take it back while it runs" 'in use' daxcolor release "$(uuid_of red)"
check "nor its claim" claimed_by "$(uuid_of red)" "${both[@]}"

# The second granules of red's colors are free. By hand, for tenant blue:
echo 1 >"$REGION_DIR/create"
blue=$(<"$REGION_DIR/create")
put $GIB "$DEVICES/$blue/align"
put "$(uuid_of blue)" "$DEVICES/$blue/owner"
for color in 0 1; do
  start=$((REGION_START + (COLORS + color) * GIB))
  same "color $color: a granule of it is free" 1 "$(awk -v color=$color '$1 == color { print $2 }' "$REGION_DIR/free_granules")"
  refused "color $color: not by its range" 'not permitted' \
    put "$(printf '0x%x-0x%x' $start $((start + GIB - 1)))" "$DEVICES/$blue/mapping"
  refused "color $color: not by its number" 'not permitted' put "1 $color" "$DEVICES/$blue/color"
done
refused "not together with colors that are free" 'not permitted' put "3 0-2" "$DEVICES/$blue/color"
refused "not by a size that takes it" 'space' put $((5 * GIB)) "$DEVICES/$blue/size"
check "what is nobody's can be had" put $GIB "$DEVICES/$blue/size"
same "and is of another color" 2 "$(<"$DEVICES/$blue/color")"
take_away "$blue"
check "nothing of that was a breach" daxcolor audit

destroy red
check "when it has stopped, nothing is held" comes_to_nothing
same "no claim is left" "" "$(grep -Lx -- - "$DEVICES"/dax*/claim)"
undefine red

# The hook dies when it has claimed, and has not yet said so.
domain victim 1024 "$(tenant red)" | sed "1s/<domain/& id='7'/" >/run/victim.xml
killed_with_claim() {
  (strace -f -qq -o /dev/null -P "$DEVICES/claim" -e trace=close -e inject=close:signal=KILL \
    "$HOOK" victim prepare begin - </run/victim.xml) 2>/dev/null
  [ $? = 137 ]
}
check "the hook is killed when it has claimed" killed_with_claim
check "what it carved is claimed" claimed_by "$(uuid_of victim)" "$(kernel_instances | tr -d ' ')"
same "and not on record as the guest's" intent "$(peek 'SELECT state FROM carving')"
check "recover ends it" bash -c "daxcolor recover | grep 'victim.*taken back'"
check "nothing is left" comes_to_nothing
check "the guest can be carved for" "$HOOK" victim prepare begin - </run/victim.xml
check "and given up" "$HOOK" victim release end - </run/victim.xml
check "nothing is left" comes_to_nothing

# A claim that no ledger knows, and whose guest is gone.
daxcolor carve --size 1G --tenant red --node 1 --name ghost --uuid "$(uuid_of ghost)" >/dev/null
ghost=$(kernel_instances | tr -d ' ')
check "a claim" claimed_by "$(uuid_of ghost)" "$ghost"
rm -f "$LEDGER"*
check "recover ends what nobody knows" bash -c "daxcolor recover | grep '$ghost.*claim of $(uuid_of ghost) is ended'"
same "it is nobody's" - "$(<"$DEVICES/$ghost/claim")"
take_away "$ghost"

# A guest whose claim root has given back by hand has it again.
define red 1024 "$(tenant red)"
check "a guest starts" start red
red=$(instances_of red)
unclaim "$red"
refused "the audit finds that nobody has claimed it" 'carving-not-claimed' daxcolor audit
check "recover claims it" bash -c "daxcolor recover | grep '$red was not claimed for it: claimed'"
check "for the guest" claimed_by "$(uuid_of red)" "$red"
check "the audit has nothing to say" daxcolor audit
destroy red
check "everything comes back" comes_to_nothing
undefine red
finish
