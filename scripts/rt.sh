#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rt.sh: run the KUnit tests, and the selftests of real-time tasks, on a kernel
# with PREEMPT_RT and lockdep. Fail if the kernel reports anything, such as a
# sleeping lock that is taken under a raw one.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

step 1 4 "preparing a kernel with PREEMPT_RT and lockdep (once; minutes)"
"$TOP/scripts/kernel.sh" rt >/dev/null
step 2 4 "building the modules"
"$TOP/scripts/build-modules.sh" rt
step 3 4 "running the KUnit tests"
"$TOP/scripts/run-vm.sh" --timeout 1800 --name rt rt \
	"$TOP/scripts/guest/kunit.sh"
step 4 4 "running selftests"
"$TOP/scripts/build-selftests.sh" account.c charge.c realtime.c request.c \
	threads.c threshold.c victim.c
"$TOP/scripts/run-vm.sh" --timeout 1800 --name rt-selftests rt \
	"$TOP/scripts/guest/selftests.sh" "$BUILD/selftests:/selftests"
say "nothing reported"
