#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build-modules.sh KERNEL [MAKE-ARGUMENT...]: build the modules for a kernel of
# kernel.sh in build/modules/KERNEL, and list them in build/modules/KERNEL/list.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || usage
name=$1
shift

need_build_tools
dir=$("$TOP/scripts/kernel.sh" "$name")
out=$BUILD/modules/$name
mkdir -p "$out"
exec {lock_fd}>"$out/lock"
flock "$lock_fd"

# --delete spares files that the filter excludes, so objects stay.
rsync -rt --delete --exclude='*.mod.c' --include='*/' --include='*.[ch]' \
	--include=Kbuild --exclude='*' "$TOP/kmod" "$TOP/uapi" "$out/"
rsync -t "$TOP/Kbuild" "$out/"

args=(-C "$(realpath "$dir/kdir")" M="$out" -j"$JOBS"
      CONFIG_DEBUG_INFO_BTF_MODULES=)
case $name in
uml) args+=(ARCH=um) ;;
uml-debug) args+=(ARCH=um MEMQUOTA_DEBUG=y) ;;
kcsan | rt) args+=(MEMQUOTA_DEBUG=y) ;;
*-arm64)
	need aarch64-linux-gnu-gcc-12:gcc-12-aarch64-linux-gnu
	args+=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
	;;
esac

rm -f "$out/list"
make -s --no-print-directory --output-sync=target "${args[@]}" "$@" modules </dev/null >&2
# Paths are absolute or relative, .ko or .o, depending on the kernel's version.
sed "s|^$out/||; s|\.k\{0,1\}o\$|.ko|; s|^|$out/|" "$out/modules.order" \
	>"$out/list"
