#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor on simulated hosts; what it finds on real ones is in test-doctor.c.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

golden doctor.txt --simulate hosts/four.host doctor
golden doctor.json --simulate hosts/four.host doctor --json
golden doctor-no-cache.txt --simulate hosts/kinds.host doctor

quietly --simulate hosts/four.host --state-dir s carve --size 1G --tenant acme --name web1
chmod 0644 s/ledger.db
golden doctor-mode.txt --simulate hosts/four.host --state-dir s doctor
golden doctor-fix.txt --simulate hosts/four.host --state-dir s doctor --fix
rm s/simulated-kernel
golden doctor-lost.txt --simulate hosts/four.host --state-dir s doctor
chmod 0666 s/ledger.db
exits "broken is exit 1" 1 "2 broken" --simulate hosts/four.host --state-dir s doctor --fix

finish
