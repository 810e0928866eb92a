#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2317
#
# Parameters of the module memquota, when it is loaded and later: rules T2, T4
# and T5 for the default tracker. It unloads memquota and loads it again, from
# /modules or $MODULES. Cases are called by name. TAP on stdout.

module=${MODULES:-/modules}/memquota.ko
parameters=/sys/module/memquota/parameters
usage=/sys/kernel/debug/memquota/default/usage
cases=0
failed=0

# expect WHAT IS: the two are the same
expect() {
	[ "$1" = "$2" ] && return
	echo "# not '$1' but '$2'"
	wrong=1
}

# A worker may hold it for a moment.
unload() {
	tries=0
	while [ -e /sys/module/memquota ]; do
		rmmod memquota 2>/dev/null && return
		tries=$((tries + 1))
		[ $tries -lt 50 ] || return
		sleep 0.1
	done
}

# load PARAMETER...: into a kernel without
load() {
	unload
	insmod "$module" "$@"
}

# refused ERROR COMMAND...: it fails, and that is what it says
refused() {
	error=$1
	shift
	if said=$("$@" 2>&1); then
		echo "# '$*' succeeded"
		wrong=1
		return
	fi
	case $said in
	*"$error"*) ;;
	*) expect "$error" "$said" ;;
	esac
}

# set_to PARAMETER VALUE: in a shell of its own, which says what is wrong
set_to() {
	sh -c 'echo "$2" >"$1"' sh "$parameters/$1" "$2"
}

# is KEY VALUE: in usage
is() {
	expect "$1 $2" "$(grep "^$1 " "$usage")"
}

parameter_is() {
	expect "$2" "$(cat "$parameters/$1")"
}

t5_counts_without_limits() {
	load
	is state counting
	is total 0
	is max unlimited
	is high unlimited
	is low_water unlimited
	parameter_is disabled N
}

t4_disabled() {
	load disabled=1
	is state disabled
	for key in total peak max high low_water; do
		is "$key" unlimited
	done
	is participants 0
	parameter_is disabled Y
	# T5: for good.
	refused "Operation not supported" set_to high 1G
	refused "Operation not supported" set_to max 0
	parameter_is high 0
	is state disabled
	refused "Permission denied" set_to disabled 0
	parameter_is disabled Y
}

t2_limits_at_load() {
	load max=64M high=32M low_water=24M
	is max 67108864
	is high 33554432
	is low_water 25165824
	load high=1G
	is max unlimited
	is high 1073741824
	is low_water 805306368
	load max=8192K
	is high 8388608
	is low_water 6291456
	load low_water=160K high=1048576
	is low_water 163840
}

t2_wrong_limits_refuse_the_load() {
	for wrong_limits in "max=1M high=2M" "low_water=1M" \
			"high=100M low_water=99M" "high=2M low_water=159K" \
			"high=lots" "max=" "high=1Mx"; do
		unload
		# shellcheck disable=SC2086 # parameters, apart
		refused "nvalid" insmod "$module" $wrong_limits
		[ ! -e /sys/module/memquota ] || expect unloaded "$wrong_limits"
	done
	load high=2M
	is high 2097152
}

t5_limits_change_later() {
	load
	set_to high 2G
	is high 2147483648
	is low_water 1610612736
	parameter_is high 2147483648
	parameter_is low_water 0
	set_to max 3072M
	is max 3221225472
	set_to low_water 1048576K
	is low_water 1073741824
	set_to low_water 0
	is low_water 1610612736
	set_to high 0
	is high 3221225472
	set_to max 0
	is high unlimited
	is state counting
}

t2_refused_values_change_nothing() {
	load max=64M high=32M low_water=24M
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
	is max 67108864
	is high 33554432
	is low_water 25165824
	# And it is not what a later change brings with it.
	set_to max 128M
	is max 134217728
	is high 33554432
	is low_water 25165824
}

comes_and_goes() {
	i=0
	while [ "$i" -lt 10 ]; do
		load high=$((i + 1))M || expect loaded "round $i"
		is high $(((i + 1) * 1048576))
		[ -c /dev/memquota ] || expect /dev/memquota none
		unload
		[ ! -e /sys/module/memquota ] || expect unloaded "round $i"
		[ ! -e /dev/memquota ] || expect none /dev/memquota
		[ ! -e /sys/kernel/debug/memquota ] || expect none debugfs
		i=$((i + 1))
	done
}

if [ ! -e "$module" ] || [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP no $module, or not root"
	exit 4
fi
echo "TAP version 13"
echo 1..7
for case in t5_counts_without_limits t4_disabled t2_limits_at_load \
		t2_wrong_limits_refuse_the_load t5_limits_change_later \
		t2_refused_values_change_nothing comes_and_goes; do
	cases=$((cases + 1))
	wrong=0
	$case
	if [ $wrong = 0 ]; then
		echo "ok $cases $case"
	else
		echo "not ok $cases $case"
		failed=1
	fi
done
# As the next test finds it.
load || failed=1
exit $failed
