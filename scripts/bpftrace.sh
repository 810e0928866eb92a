#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bpftrace.sh: what Documentation/observing.rst does with bpftrace, done on
# Debian's 6.1 kernel. bpftrace is fetched, 50 MB, and not installed: that is
# why this is not part of the tests.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$BUILD/bpftrace

# What the machine lacks, from its own archive.
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

step 1 3 "bpftrace and its libraries"
[ -e "$dir/complete" ] || fetch
step 2 3 "building the modules"
"$TOP/scripts/build-modules.sh" 6.1
step 3 3 "running it"
"$TOP/scripts/run-vm.sh" --name bpftrace --timeout 900 6.1 \
	"$TOP/scripts/guest/bpftrace.sh" "$dir/lib:/bpftrace" \
	"$TOP/Documentation/observing.rst:/observing.rst"
