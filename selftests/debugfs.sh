#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2317
#
# What memquota tells in debugfs and through its tracepoints, while pipes of the
# sample mqpipe come and go. Unloads memquota and loads it again.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

memquota=/sys/kernel/debug/memquota
tracker=$memquota/default
control=/dev/mqpipe/control
parameters=/sys/module/memquota/parameters
tracing=/sys/kernel/tracing
filter=/sys/module/kunit/parameters/filter_glob
work=$(mktemp -d)

# expect_some WHAT FILE: the file has lines
expect_some() {
	[ -s "$2" ] || fail "no $1"
}

# expect_none WHAT FILE: the file has no lines
expect_none() {
	[ -s "$2" ] || return
	fail "$1:"
	head -n 5 "$2" | sed 's/^/# /'
}

load_both() {
	unload mqpipe
	load_memquota "$@" && insmod "$modules/mqpipe.ko"
}

# value KEY: in the file usage
value() {
	sed -n "s/^$1 //p" "$tracker/usage"
}

below_low_water() {
	[ "$(value total)" -le "$(value low_water)" ]
}

# account NAME: print the id of an account
account() {
	awk -v name="$1" '$6 == name { print $1 }' "$tracker/accounts"
}

gone() {
	[ -z "$(account "$1")" ]
}

# churn: create, charge and close accounts with two parents, until stopped
churn() {
	for i in 1 2 3 4 5 6; do
		echo "create churn$i"
	done >"$work/names"
	while read -r line; do
		echo "$line" >"$control"
	done <"$work/names"
	while [ ! -e "$work/stop" ]; do
		# shellcheck disable=SC2094 # a pipe with both ends
		(
			exec 3<>/dev/mqpipe/churn1 4<>/dev/mqpipe/churn2 \
				5<>/dev/mqpipe/churn3
			echo some >&3
			(
				exec 6>/dev/mqpipe/churn1 7<>/dev/mqpipe/churn4
				head -c 20000 /dev/zero >&7
			)
			exec 4>&- 8<>/dev/mqpipe/churn5 9<>/dev/mqpipe/churn6
			head -c 70000 /dev/zero >&9
		)
		: >"$work/churned"
	done
}

start_churn() {
	rm -f "$work/stop" "$work/churned"
	churn &
	churner=$!
	until_true test -e "$work/churned" || expect "accounts that come" none
}

stop_churn() {
	: >"$work/stop"
	wait "$churner"
}

# columns FILE N: write lines that have not N words to $work/torn
columns() {
	awk -v file="$1" -v n="$2" 'NF != n {
		print file ": " NF " instead of " n ": " $0 }' >>"$work/torn"
}

r11_lines_are_whole_while_accounts_come_and_go() {
	load_both high=2M low_water=1800K
	: >"$work/torn"
	start_churn
	round=0
	while [ "$round" -lt 20 ]; do
		columns usage 2 <"$tracker/usage"
		columns accounts 6 <"$tracker/accounts"
		columns tree 11 <"$tracker/tree"
		columns caches 6 <"$tracker/caches"
		sed 's/^#//' "$memquota/arenas" | columns arenas 12
		columns chunks 5 <"$memquota/chunks"
		grep -v '^#' "$tracker/reclaims" | grep '^run' |
			columns reclaims 14
		grep -v '^#' "$tracker/reclaims" | grep '^victim' |
			columns victims 9
		# Accounts are in order, and each is there once.
		awk 'NR > 1 && $1 <= last { print "after " last ": " $0 }
			NR > 1 { last = $1 }' "$tracker/accounts" >>"$work/torn"
		# The tree begins at the left, and goes down by one level.
		awk 'NR > 1 && $1 > depth { print "below depth " depth - 1 ": " $0 }
			NR > 1 { depth = $1 + 1 }' "$tracker/tree" >>"$work/torn"
		round=$((round + 1))
	done
	stop_churn
	expect_none "torn lines" "$work/torn"
}

# Each read() goes on where the last one ended.
r11_small_buffers_read_the_same() {
	load_both
	for i in 1 2 3 4 5 6 7 8; do
		echo "create small$i" >"$control"
	done
	# shellcheck disable=SC2094
	(
		exec 3<>/dev/mqpipe/small1 4<>/dev/mqpipe/small2 \
			5<>/dev/mqpipe/small3 6<>/dev/mqpipe/small4 \
			7<>/dev/mqpipe/small5 8<>/dev/mqpipe/small6
		for file in accounts tree usage caches; do
			dd bs=64k if="$tracker/$file" >"$work/whole" 2>/dev/null
			dd bs=7 if="$tracker/$file" >"$work/pieces" 2>/dev/null
			cmp "$work/whole" "$work/pieces" >>"$work/differ" 2>&1
		done
	)
	expect_none differences "$work/differ"
	: >"$work/torn"
	start_churn
	for i in 1 2 3 4 5; do
		dd bs=7 if="$tracker/accounts" 2>/dev/null >"$work/pieces"
		columns accounts 6 <"$work/pieces"
		awk 'NR > 1 && $1 <= last { print "after " last ": " $0 }
			NR > 1 { last = $1 }' "$work/pieces" >>"$work/torn"
		dd bs=7 if="$tracker/tree" 2>/dev/null | columns tree 11
	done
	stop_churn
	expect_none "torn lines" "$work/torn"
}

# line DEPTH PLACE NAME: print how often this is in $work/tree
line() {
	awk -v depth="$1" -v place="$2" -v name="$3" '
		$1 == depth && $10 == place && $11 == name { n++ }
		END { print n + 0 }' "$work/tree"
}

a4_children_are_below_each_parent() {
	load_both
	echo "create one" >"$control"
	echo "create two" >"$control"
	# shellcheck disable=SC2094
	(
		# A name that is not one word.
		printf 'a b\nc' >/proc/self/comm
		exec 3<>/dev/mqpipe/one 4<>/dev/mqpipe/two
		echo held >&3
		(
			exec 5>/dev/mqpipe/one
			cat "$tracker/tree" >"$work/tree"
			cat "$tracker/accounts" >"$work/accounts"
		)
		# The shell may exec() its last command.
		:
	)
	columns tree 11 <"$work/tree" >"$work/torn"
	expect_none "torn lines" "$work/torn"
	expect 0 "$(line 0 - mqpipe/one)"
	expect 1 "$(line 1 first mqpipe/one)"
	expect 1 "$(line 1 again mqpipe/one)"
	expect 1 "$(line 1 - mqpipe/two)"
	# They are indented. The second is below the first's parent, too.
	expect 3 "$(grep -c '   mqpipe/' "$work/tree")"
	id=$(awk '$6 == "mqpipe/one" { print $1 }' "$work/accounts")
	expect 2 "$(awk -v id="$id" '$2 == id' "$work/tree" | wc -l)"
	expect 0 "$(awk -v id="$id" '$2 == id && ($3 < 5 ||
		$4 != "unlimited" || $5 == "-" || $6 != 2)' \
		"$work/tree" | wc -l)"
	if [ -w /proc/self/comm ] && grep -q 'a.*b' "$work/accounts"; then
		expect 2 "$(grep -c 'a\\040b\\012c/' "$work/accounts")"
	fi
	until_true gone mqpipe/one || expect gone mqpipe/one
}

# provoke NAME: write more to a pipe of that name than the quota allows
provoke() {
	echo "create $1" >"$control"
	# shellcheck disable=SC2094
	(
		exec 3<>"/dev/mqpipe/$1"
		account "mqpipe/$1" >"$work/id"
		head -c 3000000 /dev/zero >&3
		until_true below_low_water
	) 2>/dev/null
}

r10_past_reclaims_have_their_victims() {
	load_both high=2M low_water=1800K
	expect 0 "$(grep -vc '^#' "$tracker/reclaims")"
	provoke victim
	until_true grep -q reached "$tracker/reclaims" || expect reached never
	grep -v '^#' "$tracker/reclaims" >"$work/reclaims"
	awk '$1 == "run" && $5 > 2097152 && $6 <= 1843200 &&
		$7 == "unlimited" && $8 == 2097152 && $9 == 1843200 &&
		$10 == 0 && $11 == 0 && $12 > 200000 && $13 >= 1 &&
		$14 == "reached"' "$work/reclaims" >"$work/run"
	expect_some "run as expected" "$work/run"
	awk -v id="$(cat "$work/id")" '$1 == "victim" && $2 == 1 &&
		$3 == id && $4 >= 1 && $6 > 200000 && $8 == "mqpipe/victim" &&
		$9 == "victim"' "$work/reclaims" >"$work/victims"
	expect_some "victim as expected" "$work/victims"
	[ "$wrong" = 0 ] || sed 's/^/# /' "$work/reclaims"
}

t2_usage_tells_limits_as_set_and_as_derived() {
	load_both high=4M
	expect "derived 4194304 derived" \
		"$(value set_max) $(value set_high) $(value set_low_water)"
	expect "unlimited 4194304 3145728" \
		"$(value max) $(value high) $(value low_water)"
	echo 2M >"$parameters/low_water"
	expect "2097152 2097152" "$(value set_low_water) $(value low_water)"
	# What equals its default is as much set as any other value.
	echo 3M >"$parameters/low_water"
	expect "3145728 3145728" "$(value set_low_water) $(value low_water)"
}

# traced EVENT PATTERN: the trace has this event, and all match the pattern
traced() {
	grep " memquota_$1: " "$work/trace" >"$work/$1"
	expect_some "$1" "$work/$1"
	sed "s/^.* memquota_$1: //" "$work/$1" | grep -vE "^$2\$" >"$work/other"
	expect_none "other lines of $1" "$work/other"
}

trace_on() {
	: >"$tracing/trace"
	echo 1 >"$tracing/events/memquota/enable"
}

trace_off() {
	echo 0 >"$tracing/events/memquota/enable"
	cat "$tracing/trace" >"$work/trace"
}

r10_tracepoints_tell_of_a_reclaim() {
	load_both high=2M low_water=1800K
	if [ ! -e "$tracing/events/memquota" ]; then
		skip="no tracing"
		return
	fi
	trace_on
	provoke traced
	until_true gone mqpipe/traced
	echo 3M >"$parameters/high"
	trace_off
	id=$(cat "$work/id")
	n='[0-9]+'
	traced tracker_configure \
		"tracker=default total=$n max=18446744073709551615 high=3145728 low_water=1843200"
	traced total "tracker=default bytes=-?$n total=$n"
	traced account_create "tracker=default account=$n:.* parent=0"
	traced reclaim_start \
		"tracker=default total=$n high=2097152 low_water=1843200 refused=0 pressure=0"
	victim="tracker=default account=$id:mqpipe/traced participant=traced"
	traced victim \
		"$victim held=$n arrival_ns=$n age_ns=$n until_ns=$n want=$n( collapsing)?"
	traced reclaimed "$victim bytes=$n"
	traced reclaim_end \
		"tracker=default total=$n low_water=1843200 victims=$n freed=$n"
	traced account_close "tracker=default account=$n:.* held=$n"
	grep -q "account=$id:mqpipe/traced held=" "$work/account_close" ||
		expect closed "$id"
	# The bytes are those of the history.
	freed=$(sed -n 's/.*participant=traced bytes=//p' "$work/reclaimed" |
		awk '{ sum += $1 } END { print sum }')
	expect "$(awk '$1 == "run" { sum += $12 } END { print sum }' \
		"$tracker/reclaims")" "$freed"
}

c5_tracepoints_tell_of_chunks() {
	load_both
	if [ ! -e "$tracing/events/memquota" ] || [ ! -e "$filter" ] ||
			[ ! -e "$modules/memquota_kunit.ko" ]; then
		skip="no tracing, or no tests that use arenas"
		return
	fi
	printf %s 'memquota_observe.c8*' >"$filter"
	trace_on
	insmod "$modules/memquota_kunit.ko" >/dev/null 2>&1
	until_true grep -q memquota_tracker_destroy "$tracing/trace"
	unload memquota_kunit
	trace_off
	printf '' >"$filter"
	traced chunk_alloc "arena=[0-9]+:kunit-listed bytes=(512|69632 one-shot)"
	traced chunk_back "arena=[0-9]+:kunit-listed bytes=(512|69632 one-shot)"
	traced chunk_free "arena=[0-9]+:kunit-listed bytes=(512|69632 one-shot)"
	expect 2 "$(wc -l <"$work/chunk_alloc")"
	expect 2 "$(wc -l <"$work/chunk_free")"
	traced tracker_create "tracker=kunit-.* total=0 max=.* high=.* low_water=.*"
	traced account_free "tracker=kunit-.* account=[0-9]+:account-[0-9]+"
}

[ -e "$modules/mqpipe.ko" ] || skip_all "no $modules/mqpipe.ko"
[ "$(id -u)" = 0 ] || skip_all "not root"
run_cases r11_lines_are_whole_while_accounts_come_and_go \
	r11_small_buffers_read_the_same \
	a4_children_are_below_each_parent \
	r10_past_reclaims_have_their_victims \
	t2_usage_tells_limits_as_set_and_as_derived \
	r10_tracepoints_tell_of_a_reclaim \
	c5_tracepoints_tell_of_chunks
rm -rf "$work"
# The next test expects it.
unload mqpipe
load_memquota || ktap_exit_fail_msg "memquota does not load"
ktap_finished
