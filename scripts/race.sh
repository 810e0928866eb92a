#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# race.sh: run the KUnit tests and the selftests of code that they do not reach
# on four processors under KCSAN. Fail on a data race that names memquota or a
# sample.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

step 1 4 "preparing a kernel with KCSAN (once; minutes)"
"$TOP/scripts/kernel.sh" kcsan >/dev/null
step 2 4 "building the modules"
"$TOP/scripts/build-modules.sh" kcsan
step 3 4 "running the KUnit tests"
"$TOP/scripts/run-vm.sh" --cpus 4 --timeout 1800 --name race kcsan \
	"$TOP/scripts/guest/kunit.sh"
step 4 4 "running selftests: programs, thresholds, debugfs, the samples"
"$TOP/scripts/build-selftests.sh" debugfs.sh module.sh account.c charge.c \
	descriptor.c request.c threads.c threshold.c tracker.c user.c victim.c \
	mqhttp.c mqhttp_load.c mqpipe.c mqpipe_quota.c
"$TOP/scripts/run-vm.sh" --cpus 4 --timeout 1800 --name race-selftests \
	--append TIMEOUT=600 kcsan "$TOP/scripts/guest/selftests.sh" \
	"$BUILD/selftests:/selftests"
say "no races found"
