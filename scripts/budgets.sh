#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# budgets.sh: compare the benchmarks' results with kmod/bench/budgets.json. Run
# the benchmarks first unless their results are newer than all sources. The exit
# status is 1 if a result is over its budget or missing.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

results=$BUILD/bench/results.json
if [ ! -e "$results" ] ||
	[ -n "$(find "$TOP/kmod" -newer "$results" -name '*.[ch]' \
		-print -quit)" ]; then
	"$TOP/scripts/bench.sh" ||
		say "some benchmarks failed: counted as not measured"
fi
need /usr/bin/python3:python3
exec "$TOP/scripts/budgets.py" "$results" "$TOP/kmod/bench/budgets.json"
