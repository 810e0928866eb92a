#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# models.sh [NAME...]: run the litmus tests in models/, or those named, with
# herd7 and the kernel's memory model.
#
# A test's comment states its result: "Result: Never" if the exists clause, a
# state that would be an error, must not be reachable. Each line "Mutant: SCRIPT
# # NAME" is a sed script that takes a barrier or a check away, after which that
# state must be reachable. To check herd7 itself, the litmus tests of the kernel's
# source run first.
#
# herd7 is downloaded into the cache, 40 MB, but not installed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# Seconds for one test or mutant.
LIMIT=120

work=$BUILD/models
passed=0
failed=0

# check NAME FILE RESULT...: run a test and compare what herd7 observes
check() {
	local name=$1 file=$2 log=$work/${2##*/}.log observed started=$SECONDS
	shift 2
	local expected=$*
	(cd "$memory_model" &&
		timeout "$LIMIT" "$herd7" -conf linux-kernel.cfg "$file") \
		>"$log" 2>&1 || :
	observed=$(awk '$1 == "Observation" { print $3 }' "$log")
	if [[ -n $observed && " $expected " == *" $observed "* ]]; then
		passed=$((passed + 1))
		echo "ok $name: $observed ($((SECONDS - started)) s)"
	else
		failed=$((failed + 1))
		echo "not ok $name: ${observed:-no result}, not ${expected// / or }: see $log"
	fi
}

# check_model FILE: run a litmus test of the project and its mutants
check_model() {
	local file=$1 name result script n=0 mutant
	name=$(basename "$file" .litmus)
	result=$(sed -n 's/^ \* Result: //p' "$file")
	check "$name" "$file" "$result"
	while IFS= read -r script; do
		n=$((n + 1))
		mutant=$work/$name-mutant$n.litmus
		sed "$script" "$file" >"$mutant"
		if diff -q <(sed '/^{/,$!d' "$file") \
			<(sed '/^{/,$!d' "$mutant") >/dev/null; then
			failed=$((failed + 1))
			echo "not ok $name, mutant $n changes nothing: $script"
			continue
		fi
		check "$name, ${script##*# }" "$mutant" Sometimes Always
	done < <(sed -n 's/^ \* Mutant: //p' "$file")
}

if [ $# = 0 ]; then
	files=("$TOP"/models/*.litmus)
else
	files=("${@/#/$TOP/models/}")
	files=("${files[@]/%/.litmus}")
fi
for file in "${files[@]}"; do
	[ -e "$file" ] || die "no model ${file#"$TOP/"}"
done

step 1 3 "preparing herd7 and the kernel's memory model"
herd7=$("$TOP/scripts/kernel.sh" herd7)/herd7
memory_model=$("$TOP/scripts/kernel.sh" source)/tools/memory-model
rm -rf "$work"
mkdir -p "$work"

step 2 3 "running the kernel's own litmus tests"
for file in "$memory_model"/litmus-tests/*.litmus; do
	check "kernel: $(basename "$file" .litmus)" "$file" \
		"$(sed -n 's/^ \* Result: //p' "$file")"
done

step 3 3 "running ${#files[@]} models and their mutants"
for file in "${files[@]}"; do
	check_model "$file"
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
