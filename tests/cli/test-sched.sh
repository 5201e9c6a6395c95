#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# colorsched on described fleets: what it prints, and what it says when called wrongly.
: "${COLORSCHED:?path of the colorsched command}"
DAXCOLOR=$COLORSCHED
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

examples=$(cd "$SRC/../../examples" && pwd)
cp -R "$examples/hosts" "$examples/fleet" "$examples/domains" .
cp "$SRC"/fleets/* fleet

golden sched-help.txt --help
golden sched-help-simulate.txt simulate --help
golden sched-version.txt --version
golden sched-usage-verb.txt paint
golden sched-usage-none.txt simulate
golden sched-usage-both.txt simulate --load 50 fleet/four.fleet fleet/four.csv
golden sched-usage-load.txt simulate --load lots fleet/four.fleet
golden sched-usage-policy.txt simulate --policies pooled,best fleet/four.fleet
golden sched-usage-seed.txt trace --seed -1 fleet/four.fleet
golden sched-usage-json.txt trace --json fleet/four.fleet
golden sched-usage-cache.txt plan --cache lots fleet/four.fleet domains/plain.xml

golden sched-plan.txt plan fleet/four.fleet domains/shared-tenant-a.xml \
	domains/shared-tenant-b.xml domains/plain.xml
golden sched-plan.json --json plan fleet/four.fleet domains/plain.xml
golden sched-plan-spread.txt plan --spread fleet/four.fleet domains/shared-tenant-a.xml \
	domains/shared-tenant-b.xml
golden sched-plan-gold.txt plan --aggregate gold --trait CUSTOM_FAST --cache 2G \
	fleet/four.fleet domains/plain.xml
golden sched-plan-none.txt plan --aggregate silver fleet/four.fleet domains/plain.xml
golden sched-plan-none.json --json plan --aggregate silver fleet/four.fleet \
	domains/plain.xml
golden sched-plan-missing.txt plan fleet/four.fleet domains/none.xml

golden sched-simulate.txt simulate fleet/four.fleet fleet/four.csv
golden sched-simulate.json --json simulate --policies pooled,first-fit fleet/four.fleet \
	fleet/four.csv
golden sched-simulate-bad.txt simulate fleet/four.fleet fleet/bad.csv
golden sched-simulate-missing.txt simulate fleet/four.fleet fleet/none.csv
golden sched-fleet-bad.txt simulate fleet/bad.fleet
golden sched-fleet-missing.txt --json simulate fleet/none.fleet

# What trace prints is what simulate plays, but for thousandths of seconds.
quietly trace --days 3 --load 120 --seed 7 fleet/racks.fleet
cp out made-up.csv
quietly --json simulate --days 3 --load 120 --seed 7 fleet/racks.fleet
grep -E '"(admitted|refused|stranded_max|guests)"' out >expected
quietly --json simulate --seed 7 fleet/racks.fleet made-up.csv
if grep -E '"(admitted|refused|stranded_max|guests)"' out | diff expected -; then
	ok "a trace that was printed is played like one that was made up"
else
	not_ok "a trace that was printed is played like one that was made up"
fi
"$DAXCOLOR" --json simulate --seed 7 fleet/racks.fleet - <made-up.csv >again 2>&1
if diff out again; then
	ok "a trace may come from standard input"
else
	not_ok "a trace may come from standard input"
fi

# The examples, as they tell the reader to call them.
exits "the example with a made up trace" 0 pooled simulate fleet/racks.fleet
exits "the example with its trace" 0 pooled simulate fleet/racks.fleet fleet/month.csv
exits "the example of a plan" 0 rack-b-1 plan fleet/racks.fleet domains/plain.xml

quietly simulate --plot run.svg fleet/racks.fleet fleet/month.csv
if xmllint --noout run.svg && [ "$(grep -c '<polyline' run.svg)" = 8 ] &&
	! grep -qwE 'nan|inf' run.svg; then
	ok "a plot is an SVG document"
else
	not_ok "a plot is an SVG document"
fi
exits "a plot that cannot be written" 1 none/run.svg simulate --plot none/run.svg \
	fleet/four.fleet fleet/four.csv

finish
