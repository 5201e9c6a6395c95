#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tenant's second guest shares its colors; counts and lists of colors; sizes
# that are no whole GiB; a microvm.
set -uo pipefail
# shellcheck source=tests/vm/scenarios/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_guest "$1"

define blue 2048 "$(tenant blue)"
check "a guest of tenant blue starts" start blue
blue=$(colors_of blue)

define red2 1024 "$(tenant red)" cmdline='then=hang'
check "a guest of tenant red starts" start red2
define red3 1024 "$(tenant red)" cmdline='then=hang'
check "a second guest of red starts" start red3
same "tenant red's guests share its color" "$(colors_of red2)" "$(colors_of red3)"
check "that is still not blue's" test "$(colors_of red3)" != "$blue"

define list 2048 "$(tenant yellow "<daxcolor:cell id='0' colors='2'/>")" machine=q35
check "a guest that wants two colors starts" start list
same "it has two" 2 "$(colors_of list | wc -w)"
define taken 1024 "$(tenant violet "<daxcolor:cell id='0' list='$blue'/>")"
refused "a color that another tenant has is refused" "color $blue.*blue" start taken

for guest in red2 red3 blue list; do
  destroy "$guest"
done
check "when all have stopped, nothing is held" comes_to_nothing

define small 514 "$(tenant small)" cmdline='then=hang'
check "a guest of 514 MiB starts" start small
check "it writes and reads back every page" says small 'daxcolor-guest: [0-9]+ pages ok'
same "mapped with 2 MiB pages" 2048 "$(page_size_of small)"
destroy small
define tiny 1024 "$(tenant tiny)" machine=microvm cmdline='then=hang'
check "a microvm starts" start tiny
check "it writes and reads back every page" says tiny 'daxcolor-guest: [0-9]+ pages ok'
same "mapped with 1 GiB pages" 1048576 "$(page_size_of tiny)"
destroy tiny
check "nothing is held" comes_to_nothing

for guest in red2 red3 blue list taken small tiny; do
  undefine "$guest"
done
finish
