#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# race.sh: the KUnit tests on four processors under the race detector, which
# fails on a race that names memquota.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

step 1 3 "a kernel with the race detector (once; minutes)"
"$TOP/scripts/kernel.sh" kcsan >/dev/null
step 2 3 "building the modules"
"$TOP/scripts/build-modules.sh" kcsan
step 3 3 "running the tests"
"$TOP/scripts/run-vm.sh" --cpus 4 --timeout 1800 --name race kcsan \
	"$TOP/scripts/guest/kunit.sh"
say "no races"
