# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What the shell tests share: results of cases, which are functions, and loading
# modules from /modules or $MODULES. To be sourced.

modules=${MODULES:-/modules}

# kselftest has it beside the tests' folder, build-selftests.sh in it.
ktap=$(dirname "$0")/../kselftest/ktap_helpers.sh
[ -e "$ktap" ] || ktap=$(dirname "$0")/ktap_helpers.sh
# shellcheck source=/dev/null
. "$ktap"

# fail MESSAGE: the case fails, and goes on
fail() {
	echo "# $case: $1"
	wrong=1
}

# expect EXPECTED SEEN: the two are the same
expect() {
	[ "$1" = "$2" ] || fail "expected '$1', not '$2'"
}

# skip_all REASON: if the tests cannot run at all
skip_all() {
	ktap_print_header
	ktap_skip_all "$1"
	exit "$KSFT_SKIP"
}

# after_case: clean up after each case; tests replace it
after_case() {
	:
}

# run_cases CASE...: run these functions. A case that sets $skip is skipped.
run_cases() {
	ktap_print_header
	ktap_set_plan $#
	for case; do
		wrong=0
		skip=
		$case
		after_case
		if [ "$wrong" != 0 ]; then
			ktap_test_fail "$case"
		elif [ -n "$skip" ]; then
			ktap_print_msg "$case: $skip"
			ktap_test_skip "$case"
		else
			ktap_test_pass "$case"
		fi
	done
}

# until_true COMMAND...: wait up to ten seconds until it succeeds
until_true() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return 1
		sleep 0.1
	done
}

# unload MODULE: a file that was just closed, or a worker, may hold it briefly
unload() {
	tries=0
	while [ -e "/sys/module/$1" ]; do
		rmmod "$1" 2>/dev/null && return
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || return
		sleep 0.1
	done
}

# load_memquota PARAMETER...: load it anew
load_memquota() {
	unload memquota
	insmod "$modules/memquota.ko" "$@"
}
