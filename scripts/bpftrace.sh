#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bpftrace.sh: run the bpftrace and perf commands of Documentation/observing.rst
# on Debian's 6.1 and 6.12 kernels. bpftrace is downloaded into the cache, 50 MB,
# but not installed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$CACHE/bpftrace
status=0

# Download bpftrace and the packages that it needs and this machine lacks.
fetch() {
	local packages
	mapfile -t packages < <(apt-get -s install bpftrace |
		sed -n 's/^Inst \([^ ]*\).*/\1/p')
	rm -rf "$dir"
	mkdir -p "$dir/packages" "$dir/root" "$dir/lib"
	(cd "$dir/packages" && logged "$LOGS/bpftrace-fetch.log" \
		apt-get -q download "${packages[@]:-bpftrace}")
	local deb lib
	for deb in "$dir"/packages/*.deb; do
		dpkg -x "$deb" "$dir/root"
	done
	cp "$dir/root/usr/bin/bpftrace" "$dir/lib/"
	for lib in $(LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu) \
			ldd "$dir/lib/bpftrace" | grep -o '/[^ )]*'); do
		cp -L "$lib" "$dir/lib/"
	done
	rm -rf "$dir/packages" "$dir/root"
	touch "$dir/complete"
}

step 1 3 "fetching bpftrace and its libraries"
need perf:linux-perf
lock bpftrace
[ -e "$dir/complete" ] || fetch
unlock
n=2
for kernel in 6.1 6.12; do
	step $n 3 "running the documentation's commands on $kernel"
	n=$((n + 1))
	"$TOP/scripts/build-modules.sh" "$kernel"
	"$TOP/scripts/run-vm.sh" --quiet --name "bpftrace-$kernel" \
		--timeout 900 "$kernel" "$TOP/scripts/guest/bpftrace.sh" \
		"$dir/lib:/bpftrace" "$(command -v perf)" \
		"$TOP/Documentation/observing.rst:/observing.rst" || status=1
done
exit $status
