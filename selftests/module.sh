#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2317
#
# Parameters of the module memquota, when it is loaded and later: rules T2, T4
# and T5 for the default tracker. Unloads memquota and loads it again.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

parameters=/sys/module/memquota/parameters
usage=/sys/kernel/debug/memquota/default/usage

# refused ERROR COMMAND...: the command fails with that error
refused() {
	error=$1
	shift
	if message=$("$@" 2>&1); then
		fail "'$*' succeeded"
		return
	fi
	case $message in
	*"$error"*) ;;
	*) expect "$error" "$message" ;;
	esac
}

# set_to PARAMETER VALUE: in a shell of its own, which prints the error
set_to() {
	sh -c 'echo "$2" >"$1"' sh "$parameters/$1" "$2"
}

# usage_is KEY VALUE: in the file usage
usage_is() {
	expect "$1 $2" "$(grep "^$1 " "$usage")"
}

parameter_is() {
	expect "$2" "$(cat "$parameters/$1")"
}

t5_counts_without_limits() {
	load_memquota
	usage_is state counting
	usage_is total 0
	usage_is max unlimited
	usage_is high unlimited
	usage_is low_water unlimited
	parameter_is disabled N
}

t4_disabled() {
	load_memquota disabled=1
	usage_is state disabled
	for key in total peak max high low_water; do
		usage_is "$key" unlimited
	done
	usage_is participants 0
	parameter_is disabled Y
	# T5: it cannot be enabled again, and accepts no limit.
	refused "Operation not supported" set_to high 1G
	set_to max 0
	parameter_is high 0
	usage_is state disabled
	refused "Permission denied" set_to disabled 0
	parameter_is disabled Y
}

t2_limits_at_load() {
	load_memquota max=64M high=32M low_water=24M
	usage_is max 67108864
	usage_is high 33554432
	usage_is low_water 25165824
	load_memquota high=1G
	usage_is max unlimited
	usage_is high 1073741824
	usage_is low_water 805306368
	load_memquota max=8192K
	usage_is high 8388608
	usage_is low_water 6291456
	load_memquota low_water=160K high=1048576
	usage_is low_water 163840
}

t2_wrong_limits_refuse_the_load() {
	for wrong_limits in "max=1M high=2M" "low_water=1M" "max=10000" \
			"low_water=18446744073709551615" \
			"high=100M low_water=99M" "high=2M low_water=159K" \
			"high=lots" "max=" "high=1Mx"; do
		unload memquota
		# shellcheck disable=SC2086 # several parameters
		refused "nvalid" insmod "$modules/memquota.ko" $wrong_limits
		[ ! -e /sys/module/memquota ] || expect unloaded "$wrong_limits"
	done
	load_memquota high=2M
	usage_is high 2097152
}

t5_limits_change_later() {
	load_memquota
	set_to high 2G
	usage_is high 2147483648
	usage_is low_water 1610612736
	parameter_is high 2147483648
	parameter_is low_water 0
	set_to max 3072M
	usage_is max 3221225472
	set_to low_water 1048576K
	usage_is low_water 1073741824
	set_to low_water 0
	usage_is low_water 1610612736
	set_to high 0
	usage_is high 3221225472
	set_to max 0
	usage_is high unlimited
	usage_is state counting
}

t2_refused_values_change_nothing() {
	load_memquota max=64M high=32M low_water=24M
	refused "Invalid argument" set_to max 31M
	refused "Invalid argument" set_to high 65M
	refused "Invalid argument" set_to high 24M
	refused "Invalid argument" set_to low_water 33M
	refused "Invalid argument" set_to low_water 159K
	refused "Invalid argument" set_to high ""
	refused "Invalid argument" set_to high some
	refused "Invalid argument" set_to high "32M 1"
	parameter_is max 67108864
	parameter_is high 33554432
	parameter_is low_water 25165824
	usage_is max 67108864
	usage_is high 33554432
	usage_is low_water 25165824
	# A later change does not bring them along.
	set_to max 128M
	usage_is max 134217728
	usage_is high 33554432
	usage_is low_water 25165824
}

loads_and_unloads() {
	i=0
	while [ "$i" -lt 10 ]; do
		load_memquota high=$((i + 1))M || expect loaded "round $i"
		usage_is high $(((i + 1) * 1048576))
		[ -c /dev/memquota ] || expect /dev/memquota none
		unload memquota
		[ ! -e /sys/module/memquota ] || expect unloaded "round $i"
		[ ! -e /dev/memquota ] || expect none /dev/memquota
		[ ! -e /sys/kernel/debug/memquota ] || expect none debugfs
		i=$((i + 1))
	done
}

[ -e "$modules/memquota.ko" ] || skip_all "no $modules/memquota.ko"
[ "$(id -u)" = 0 ] || skip_all "not root"
run_cases t5_counts_without_limits t4_disabled t2_limits_at_load \
	t2_wrong_limits_refuse_the_load t5_limits_change_later \
	t2_refused_values_change_nothing loads_and_unloads
# The next test expects it.
load_memquota || ktap_exit_fail_msg "memquota does not load"
ktap_finished
