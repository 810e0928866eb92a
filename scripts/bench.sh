#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: run all benchmarks. build/bench/results.json gets the results,
# build/bench/INSTRUMENT.json those of each instrument, and build/bench/*.svg
# plots against the number of CPUs and participants:
#
#	instructions	QEMU counts instructions, one CPU, Debian's 6.1
#	cachelines	the same, with a plugin of QEMU, cachelines.c, which counts
#			locked instructions, cache lines and misses
#	cachelines_2cpus	the plugin alone, on one of two CPUs, which
#			charges what the other one uncharges, or vice versa
#	qemu		QEMU, as many CPUs as this machine has, Debian's 6.1
#	uml		User-mode Linux, as many CPUs as this machine has
#
# ONLY=INSTRUMENT runs one of them and keeps the last results of the rest.
# CACHES=l1_kib=48,l1_ways=12,l2_kib=2048,l2_ways=16 gives cachelines other caches
# than these.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

out=$BUILD/bench
cpus=$(nproc)
[ "$cpus" -le 8 ] || cpus=8
status=0
mkdir -p "$out"

need_compiler
need /usr/bin/python3:python3 objdump:binutils \
	/usr/lib/python3/dist-packages/matplotlib:python3-matplotlib

# run INSTRUMENT KERNEL GROUPS ARGUMENT-OF-run-vm.sh...
run() {
	local instrument=$1 kernel=$2 groups=$3
	shift 3
	[ -z "${ONLY:-}" ] || [ "$ONLY" = "$instrument" ] || return 0
	"$TOP/scripts/run-vm.sh" --quiet --name "bench-$instrument" \
		--timeout 1500 --append "BENCH_GROUPS=$groups" "$@" "$kernel" \
		"$TOP/scripts/guest/bench.sh" "$out/programs" ||
		{ status=1; say "$instrument: failed: see $LOGS/bench-$instrument.log"; }
	[ -s "$BUILD/out/bench-$instrument/results" ] || return 0
	"$TOP/scripts/bench.py" collect "$instrument" \
		"$BUILD/out/bench-$instrument" \
		"$TOP/kmod/bench/budgets.json" \
		"$BUILD/modules/$kernel/kmod" >"$out/$instrument.json.tmp"
	mv "$out/$instrument.json.tmp" "$out/$instrument.json"
}

step 1 7 "preparing the kernels (once; minutes)"
"$TOP/scripts/kernel.sh" 6.1 >/dev/null
"$TOP/scripts/kernel.sh" uml >/dev/null
step 2 7 "building the modules"
"$TOP/scripts/build-modules.sh" 6.1 MEMQUOTA_BENCH=y
# Leave out the tests: they are not measured.
"$TOP/scripts/build-modules.sh" uml CONFIG_KUNIT= MEMQUOTA_BENCH=y
build_program "$TOP/kmod/bench/programs.c" "$out/programs"
header=$("$TOP/scripts/kernel.sh" qemu-plugin)
gcc -shared -fPIC -O2 -Wall -Wextra -Wno-unused-parameter -I"$header" \
	-o "$out/cachelines.so" "$TOP/scripts/cachelines.c"
step 3 7 "counting instructions"
counted=peers,charge,patterns,objects,range,arena,index,memory,overhead,participants
counted+=,latency,programs_ioctls,programs_latency
run instructions 6.1 "$counted" --icount --append preempt=full --append BENCH_ARGS=counts=1
step 4 7 "counting cache lines"
# Keep the lock prefixes, which the kernel removes on one CPU.
run cachelines 6.1 peers,charge,patterns,objects,range,arena --icount \
	--append noreplace-smp \
	--plugin "$out/cachelines.so${CACHES:+,$CACHES}" \
	--append 'BENCH_ARGS="counts=1 readings=5"'
ACCEL=tcg run cachelines_2cpus 6.1 two_cpus --cpus 2 \
	--plugin "$out/cachelines.so${CACHES:+,$CACHES}" \
	--append 'BENCH_ARGS="counts=1 readings=3"'
step 5 7 "scaling in QEMU, $cpus CPUs"
ACCEL=${ACCEL:-tcg} run qemu 6.1 memory,scaling,programs_scaling --cpus "$cpus"
step 6 7 "scaling in User-mode Linux, $cpus CPUs"
run uml uml scaling --cpus "$cpus" --append BENCH_ARGS=rounds=10
step 7 7 "printing the results"
"$TOP/scripts/bench.py" merge "$out"
"$TOP/scripts/bench.py" plot "$out"
"$TOP/scripts/bench.py" table "$out"
exit $status
