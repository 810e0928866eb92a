#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: run all tests on all kernels. The last line counts the test cases.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

passed=0 failed=0 skipped=0
steps=9
problems=()

# count NAME LINE-START: add up the results in build/out/NAME
count() {
	local name=$1 start=$2 file line ok=0 bad=0 said
	for file in "$BUILD/out/$name"/*tap; do
		[ -e "$file" ] || continue
		said=()
		while IFS= read -r line; do
			case $line in
			"${start}ok "*"# SKIP"*) skipped=$((skipped + 1)) ;;
			"${start}ok "*) ok=$((ok + 1)) ;;
			"${start}not ok "*)
				bad=$((bad + 1))
				problems+=("$name: $(basename "${file%.*}"): ${line#"$start"}"
					   "${said[@]:0:20}")
				;;
			*)
				# A failed case says why before its result.
				said+=("$line")
				continue
				;;
			esac
			said=()
		done <"$file"
	done
	passed=$((passed + ok)) failed=$((failed + bad))
	say "    $name: $ok passed, $bad failed"
}

# in_vm NAME LINE-START ARGUMENT-OF-run-vm.sh...: run tests, count the results
in_vm() {
	local name=$1 start=$2 status=0 before=$failed
	shift 2
	rm -rf "${BUILD:?}/out/$name"
	"$TOP/scripts/run-vm.sh" --quiet --name "$name" "$@" || status=$?
	count "$name" "$start"
	# A report, leak or hang that made no case fail.
	if [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
		failed=$((failed + 1))
		problems+=("$name: exit status $status, see $LOGS/$name.log:"
			   "$(grep -E 'kunit: |selftests: |BUG|WARNING|KASAN|not ok|panic' \
				"$LOGS/$name.log" | tail -n 10)")
	fi
}

modules() {
	"$TOP/scripts/build-modules.sh" "$1" && return
	failed=$((failed + 1))
	problems+=("$1: building the modules failed")
	return 1
}

# Build the tool, and list the files that its tests need in the guest.
tool_files=()
build_tool() {
	need script:bsdutils setpriv:util-linux python3:python3 \
		/lib/terminfo/l/linux:ncurses-base \
		/usr/lib/locale/C.utf8:libc-bin
	if "$TOP/scripts/build-tool.sh"; then
		tool_files=("$BUILD/memquotactl"
			    "$(command -v script)"
			    "$(command -v setpriv):usr/bin/setpriv"
			    /lib/terminfo/l/linux:lib/terminfo/l/linux
			    /usr/lib/locale/C.utf8:usr/lib/locale/C.utf8)
	else
		failed=$((failed + 1))
		problems+=("building memquotactl failed")
	fi
}

# json_of NAME: check the tool's JSON here, since guests have no parser
json_of() {
	local file
	for file in "$BUILD/out/$1"/memquotactl-*.json*; do
		[ -e "$file" ] || continue
		case $file in
		*l) set -- "$1" --json-lines ;;
		*) set -- "$1" ;;
		esac
		if python3 -m json.tool "${@:2}" "$file" >/dev/null 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			problems+=("$1: $file: invalid JSON")
		fi
	done
}

selftests() {
	modules "$1" || return
	in_vm "selftests-$1" '' --timeout 1800 "$1" \
		"$TOP/scripts/guest/selftests.sh" \
		"$BUILD/selftests:/selftests" "$BUILD/memquota-example" \
		"${tool_files[@]}"
	json_of "selftests-$1"
}

kunit() {
	modules "$1" && in_vm "kunit-$1" '    ' --timeout 900 "$1" \
		"$TOP/scripts/guest/kunit.sh"
}

step 1 $steps "preparing the debug kernel (once; minutes)"
"$TOP/scripts/kernel.sh" uml-debug >/dev/null
step 2 $steps "preparing Debian's kernels: 6.1, 6.12 and 6.1-rt"
for kernel in 6.1 6.12 6.1-rt; do
	"$TOP/scripts/kernel.sh" $kernel >/dev/null
done
step 3 $steps "building the selftests and memquotactl"
"$TOP/scripts/build-selftests.sh" || {
	failed=$((failed + 1))
	problems+=("building the selftests failed")
}
build_tool
step 4 $steps "running KUnit on the debug kernel"
kunit uml-debug || :
in_vm kunit-splat '    ' --timeout 100 --expect 'exceeds its parts' \
	--append 'SPLAT=y FILTER=memquota_splat.*' uml-debug \
	"$TOP/scripts/guest/kunit.sh" || :
n=5
for kernel in 6.1 6.12 6.1-rt uml-debug; do
	step $n $steps "running selftests on $kernel"
	selftests $kernel || :
	n=$((n + 1))
done
step $n $steps "running the documentation's bpftrace and perf commands"
before=$failed
"$TOP/scripts/bpftrace.sh" && status=0 || status=$?
for kernel in 6.1 6.12; do
	count "bpftrace-$kernel" ''
done
if [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
	failed=$((failed + 1))
	problems+=("bpftrace.sh: exit status $status, see $LOGS/bpftrace-*.log")
fi

[ ${#problems[@]} = 0 ] || printf '%s\n' "" "${problems[@]}" ""
echo "$passed passed, $failed failed$(
	[ $skipped = 0 ] || echo ", $skipped skipped")"
[ $failed = 0 ]
