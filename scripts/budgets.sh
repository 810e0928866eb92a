#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# budgets.sh: hold the benchmarks' results against kmod/bench/budgets.json.
# The benchmarks are run unless their results are newer than all sources. The
# exit status is 1 if something is over its budget, or was not measured.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

results=$BUILD/bench/results.json
if [ ! -e "$results" ] ||
	[ -n "$(find "$TOP/kmod" -newer "$results" -name '*.[ch]' \
		-print -quit)" ]; then
	"$TOP/scripts/bench.sh" ||
		say "some benchmarks failed: they count as not measured"
fi
need /usr/bin/python3:python3
exec "$TOP/scripts/budgets.py" "$results" "$TOP/kmod/bench/budgets.json"
