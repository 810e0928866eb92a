#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build-selftests.sh [NAME...]: build these selftests, or all, into
# build/selftests, for any of the kernels. All include those that are built for
# 32 bits as well, and the example of Documentation, as build/memquota-example.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# build SOURCE DST FLAG...
build() {
	local file=$1 dst=$2
	shift 2
	gcc -static -O2 -Wall -D_GNU_SOURCE= -I"$TOP/uapi" \
		-I"$source/tools/testing/selftests" -pthread "$@" \
		-o "$dst" "$file" && return
	say "$(basename "$file") does not build${*:+ with $*}"
	status=1
}

status=0
source=$("$TOP/scripts/kernel.sh" source)
rm -rf "$BUILD/selftests"
mkdir -p "$BUILD/selftests"
install -m 644 "$TOP/selftests/lib.sh" \
	"$source/tools/testing/selftests/kselftest/ktap_helpers.sh" \
	"$BUILD/selftests/"
for file in "$TOP"/selftests/*.c "$TOP"/selftests/*.sh; do
	name=$(basename "$file")
	[ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
	case $name in
	lib.sh) ;;
	*.sh) cp "$file" "$BUILD/selftests/" ;;
	*.c) build "$file" "$BUILD/selftests/${name%.c}" ;;
	esac
done
if [ $# = 0 ]; then
	# Not gcc-multilib, which conflicts with all cross compilers.
	need "/usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a:gcc-$(gcc -dumpversion)-multilib" \
		/usr/lib32/libc.a:libc6-dev-i386
	mapfile -t names < <(sed -n 's/^IOCTL_PROGS [:+]= //p' \
		"$TOP/selftests/Makefile" | tr ' ' '\n')
	for name in "${names[@]}"; do
		build "$TOP/selftests/$name.c" "$BUILD/selftests/${name}32" \
			-m32 -idirafter /usr/include/x86_64-linux-gnu
	done
	build "$TOP/Documentation/example.c" "$BUILD/memquota-example"
fi
exit $status
