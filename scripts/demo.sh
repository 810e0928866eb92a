#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: demonstrate reclaim. Boot Debian's kernel in a virtual machine, load
# memquota and the sample mqpipe, and stream the kernel's files through 32 pipes
# whose readers are too slow for the quota. The exit status is the verdict.
# build/demo/usage.svg and usage.png plot the total over time.
#
# KERNEL=6.12 runs Debian's backport, CPUS=2 sets the number of processors, 4 by
# default.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=${KERNEL:-6.1}
case $kernel in
6.1 | 6.12) ;;
*) die "unknown kernel '$kernel': set KERNEL to 6.1 or 6.12" ;;
esac

# On a terminal draw each frame over the last one; elsewhere print one line a
# second. Leave the kernel's messages to the log.
show() {
	local columns=
	[ ! -t 1 ] || columns=$(tput cols 2>/dev/null || echo 80)
	awk -v columns="$columns" '
		/^ *\[ *[0-9]+\.[0-9]+\]/ || /^memquota-vm: / { next }
		/^@frame/ {
			frames++
			line = 0
			if (columns && frames > 1)
				printf "\033[%dA", $2
			next
		}
		/^@end/ { fflush(); next }
		/^\|/ && columns {
			printf "%s\033[K\n", substr($0, 2, columns - 1)
			next
		}
		/^\|/ {
			if (!line++ && frames % 2)
				print substr($0, 2)
			next
		}
		# Left over where the kernel printed a message.
		/^$/ { next }
		/^verdict$/ { print "" }
		{ print; fflush() }'
}

step 1 4 "preparing Debian's $kernel kernel"
need_compiler
need /usr/lib/python3/dist-packages/matplotlib/__init__.py:python3-matplotlib
dir=$("$TOP/scripts/kernel.sh" "$kernel")

step 2 4 "building the modules and the programs"
"$TOP/scripts/build-modules.sh" "$kernel"
out=$BUILD/demo
mkdir -p "$out/files"
build_program "$TOP/kmod/samples/mqpipe_demo.c" "$out/mqpipe_demo"

# Take the largest files of the kernel.
rm -rf "$out"/files/*
cp -L "$dir/image" "$out/files/vmlinuz"
for file in "$dir"/root/boot/System.map-* "$dir/kdir/Module.symvers"; do
	# In newer packages the map is a stub.
	[ "$(stat -Lc %s "$file")" -lt 1000000 ] ||
		cp -L "$file" "$out/files/"
done
# Repeat each file until it has at least 8 MB.
for file in "$out"/files/*; do
	while [ "$(stat -c %s "$file")" -lt 8000000 ]; do
		cat "$file" "$file" >"$file.twice"
		mv "$file.twice" "$file"
	done
done

size=$(du -ch "$out"/files/* | awk 'END { print $1 }')
step 3 4 "streaming $size of files through 32 pipes, on Linux $kernel"
status=0
name=demo-$kernel
"$TOP/scripts/run-vm.sh" --cpus "${CPUS:-4}" --name "$name" "$kernel" \
	"$TOP/scripts/guest/demo.sh" "$out/mqpipe_demo" "$out/files:/files" |
	show || status=$?

step 4 4 "plotting"
if [ -s "$BUILD/out/$name/samples.csv" ]; then
	cp "$BUILD/out/$name"/*.csv "$out/"
	# Only Debian's python3 has Debian's matplotlib.
	logged "$LOGS/demo-plot.log" /usr/bin/python3 \
		"$TOP/scripts/demo-plot.py" "$out" "Linux $kernel" ||
		status=1
	say "plotted: see $out/usage.png and $out/usage.svg"
else
	say "nothing to plot"
	status=1
fi
if [ "$status" = 0 ]; then
	say "the demo passed"
else
	say "the demo FAILED"
fi
exit "$status"
