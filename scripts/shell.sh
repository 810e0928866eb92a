#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shell.sh [KERNEL]: open a shell in a virtual machine with all modules loaded.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=${1:-6.1}
step 1 3 "preparing the kernel"
"$TOP/scripts/kernel.sh" "$kernel" >/dev/null
step 2 3 "building the modules"
"$TOP/scripts/build-modules.sh" "$kernel"
step 3 3 "starting the virtual machine"
exec "$TOP/scripts/run-vm.sh" --interactive --append quiet "$kernel" \
	"$TOP/scripts/guest/shell.sh"
