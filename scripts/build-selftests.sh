#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build-selftests.sh [NAME...]: build those selftests, or all, into
# build/selftests, for any of the kernels.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

status=0
source=$("$TOP/scripts/kernel.sh" source)
rm -rf "$BUILD/selftests"
mkdir -p "$BUILD/selftests"
for file in "$TOP"/selftests/*.c "$TOP"/selftests/*.sh; do
	name=$(basename "$file")
	[ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
	case $name in
	*.sh) cp "$file" "$BUILD/selftests/" ;;
	*.c)
		gcc -static -O2 -Wall -D_GNU_SOURCE= -I"$TOP/uapi" \
			-I"$source/tools/testing/selftests" -pthread \
			-o "$BUILD/selftests/${name%.c}" "$file" ||
			{ say "$name does not build"; status=1; }
		;;
	esac
done
exit $status
