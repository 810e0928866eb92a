#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2015,SC2086,SC2317
#
# memquotactl as a new user tries it: each command, with and without success, in
# a terminal of 80 columns and without one, as root, as a member of the group
# and as nobody. Unloads memquota and loads it again. python3 checks JSON where
# there is one; otherwise the host can check what is left in /out.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

module=$modules/memquota.ko
setpriv=/usr/bin/setpriv
nobody=65534
tracker=ctl
holders=
tmp=$(mktemp -d)

# run COMMAND...: set $out, $err and $status
run() {
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	out=$(cat "$tmp/out")
	err=$(cat "$tmp/err")
}

# ctl ARGUMENT...: memquotactl succeeds, and prints no errors
ctl() {
	run memquotactl "$@"
	[ "$status" = 0 ] && [ -z "$err" ] && return
	fail "memquotactl $*: status $status: $err"
}

# refused STATUS TEXT COMMAND...: the command fails, and its message has the text
refused() {
	refused_status=$1 refused_text=$2
	shift 2
	run "$@"
	expect "$refused_status" "$status"
	case $err in
	*"$refused_text"*) ;;
	*) fail "$*: '$refused_text' is not in: $err" ;;
	esac
}

# says TEXT...: each text is in the output
says() {
	for text; do
		case $out in
		*"$text"*) ;;
		*)
			fail "'$text' is not in:"
			echo "$out" | sed 's/^/#    /'
			;;
		esac
	done
}

says_not() {
	case $out in
	*"$1"*) fail "'$1' is in: $out" ;;
	esac
}

# line N TEXT: line N of the output, with single spaces
line() {
	expect "$2" "$(echo "$out" | sed -n "$1{s/  */ /g;s/ \$//;p;}")"
}

# json NAME ARGUMENT...: memquotactl prints JSON
json() {
	name=$1
	shift
	ctl "$@"
	json_of "$name"
}

# json_of NAME: the output is JSON, or JSON lines if NAME ends in l
json_of() {
	name=$1
	json_lines=
	case $name in
	*l) json_lines=--json-lines ;;
	esac
	[ ! -d /out ] || echo "$out" >"/out/memquotactl-$name.json${json_lines:+l}"
	command -v python3 >/dev/null || return
	echo "$out" | python3 -m json.tool $json_lines >/dev/null ||
		expect JSON "$out"
}

# terminal COMMAND: run it in a terminal of 80 columns; no line is longer
terminal() {
	status=0
	TERM=linux script -q -e -c "stty cols 80 rows 24; $*" /dev/null \
		>"$tmp/out" 2>&1 </dev/null || status=$?
	out=$(tr -d '\r' <"$tmp/out")
	too_long=$(echo "$out" | sed "s/$(printf '\033')[^m]*m//g" |
		awk 'length > 80')
	expect "" "$too_long"
}

# eventually COMMAND...: it succeeds within ten seconds
eventually() {
	until_true "$@" >/dev/null 2>&1 || fail "never: $*"
}

# hold ARGUMENT...: hold in the background, as $pid; $id is what it prints
hold() {
	: >"$tmp/id"
	memquotactl hold --tracker $tracker "$@" >"$tmp/id" 2>"$tmp/said" &
	pid=$!
	holders="$holders $pid"
	eventually test -s "$tmp/id"
	id=$(cat "$tmp/id")
}

# ended STATUS PID: the process ends by itself
ended() {
	eventually sh -c "! kill -0 $2"
	kill "$2" 2>/dev/null
	status=0
	wait "$2" || status=$?
	expect "$1" "$status"
}

let_go() {
	for pid in $holders; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	holders=
}

new_tracker() {
	let_go
	memquotactl destroy $tracker >/dev/null 2>&1
	ctl create $tracker --programs "$@"
}

as_nobody() {
	$setpriv --reuid $nobody --regid $nobody --clear-groups "$@"
}

no_module() {
	unload memquota
	for command in info trackers accounts "show 1" "set x --max 1M" \
			"create x" "destroy x" "top --once" export "hold 1M" \
			events; do
		refused 3 "modprobe memquota" memquotactl $command
		expect "" "$out"
	done
	insmod "$module"
}

help_of_each() {
	ctl --help
	says "Usage: memquotactl COMMAND" "accounts" "hold" "memquotactl(8)"
	ctl --version
	says "memquotactl 0." "interface "
	refused 2 "Usage: memquotactl COMMAND" memquotactl
	for command in info trackers accounts show set create destroy top \
			events export hold; do
		ctl "$command" --help
		line 1 "$(echo "$out" | sed -n "1s/  */ /gp")"
		says "Usage: memquotactl $command" "--help"
		expect "" "$(echo "$out" | awk 'length > 80')"
		refused 2 "unrecognized option '--bogus'" \
			memquotactl "$command" --bogus
		says_not Usage
	done
}

wrong_usage() {
	refused 2 "unknown command 'look'" memquotactl look
	refused 2 "Try 'memquotactl --help'" memquotactl look
	refused 2 "extra operand 'x'" memquotactl info x
	refused 2 "extra operand 'x'" memquotactl trackers x
	refused 2 "extra operand 'y'" memquotactl accounts x y
	refused 2 "unknown column 'COLOUR'" memquotactl trackers -o COLOUR
	refused 2 "unknown column 'COLOUR'" memquotactl accounts -x COLOUR
	refused 2 "missing operand: expected an account id" memquotactl show
	refused 2 "invalid account id 'web'" memquotactl show web
	refused 2 "invalid account id '-1'" memquotactl show -- -1
	refused 2 "missing operand" memquotactl set --max 1M
	refused 2 "missing limit" memquotactl set default
	refused 2 "option '--max' requires an argument" memquotactl set default --max
	refused 2 "missing operand" memquotactl create
	refused 2 "expected 1 to 31 bytes" memquotactl create \
		a-name-of-thirty-two-bytes-and-no
	refused 2 "expected 1 to 31 bytes" memquotactl create ""
	refused 2 "extra operand 'b'" memquotactl destroy a b
	refused 2 "missing operand" memquotactl hold
	refused 2 "invalid size 'lots': expected bytes" memquotactl hold lots
	refused 2 "invalid age 'old'" memquotactl hold 1M --age old
	for size in 1Q M 1.2.3M 1MBB 99999999T -1 ""; do
		refused 2 "invalid size '$size'" memquotactl set default --max "$size"
	done
	refused 2 "101%" memquotactl set default --max 101%
	# The kernel would take these for no limit.
	for size in 0 0K 0.0001K 0.00000001%; do
		refused 2 "expected at least 1 byte" memquotactl set default --max "$size"
	done
	refused 2 "invalid delay '0'" memquotactl top --delay 0
	refused 2 "unknown column 'COLOUR'" memquotactl top --sort COLOUR
	refused 2 "not a terminal" memquotactl top
	refused 2 "extra operand 'y'" memquotactl events x y
}

info() {
	ctl info
	says "interface  3" "tracker" "programs" "16K per CPU"
	ctl info --bytes
	says "16384 per CPU"
	json info info --json
	says '"version": 3' '"cache_max": 16384' '"programs"'
}

rights() {
	new_tracker
	chown 0:0 /dev/memquota
	chmod 600 /dev/memquota
	refused 1 "group memquota" as_nobody memquotactl info
	refused 1 "usermod -a -G memquota" as_nobody memquotactl trackers
	chown 0:$nobody /dev/memquota
	chmod 660 /dev/memquota
	run as_nobody memquotactl info
	expect 0 "$status"
	for command in trackers accounts "show 1" "create x" export \
			"set default --max 1M" "destroy $tracker" events \
			"top --once"; do
		refused 1 "run as root" as_nobody memquotactl $command
	done
	refused 1 "not open to programs" as_nobody memquotactl hold 1M
	run as_nobody timeout -s TERM 1 memquotactl hold 1M -t $tracker
	expect "" "$err"
	[ "$out" -gt 0 ] || expect "an id" "$out"
	# Accounts of other users cannot be opened by their ids.
	hold 0
	refused 1 "owned by another user" as_nobody memquotactl hold 1M -t $tracker \
		--parent "$id"
	chown 0:0 /dev/memquota
	chmod 600 /dev/memquota
}

trackers() {
	new_tracker --high 64M
	ctl trackers
	line 1 "NAME STATE TOTAL USE% HIGH LOW-WATER MAX PEAK ACCOUNTS RECLAIMS"
	says "default" "counting"
	line 3 "$tracker counting 0 0 64M 48M - 0 0 0"
	hold 16M
	ctl trackers -n -o NAME,total,USE%,accounts --bytes
	out=$(echo "$out" | tr -s ' ')
	says "$tracker 16" " 25 1"
	line 3 ""
	ctl trackers -o +programs
	line 1 "NAME STATE TOTAL USE% HIGH LOW-WATER MAX PEAK ACCOUNTS RECLAIMS PROGRAMS"
	json trackers trackers --json
	says '"name": "ctl"' '"high": 67108864' '"low_water": 50331648' \
		'"max": null' '"use_percent": 25' '"programs": true' \
		'"participants": 1'
	json trackers-few trackers -J -o name,id
	says_not '"high"'
}

limits() {
	new_tracker
	ctl set $tracker --max 512M
	expect "$tracker: max 512M, high 512M, low-water 384M" "$out"
	ctl set $tracker --high 50%
	expect "$tracker: max 512M, high 256M, low-water 192M" "$out"
	ctl set $tracker --low-water 90%
	expect "$tracker: max 512M, high 256M, low-water 230.4M" "$out"
	# Derived limits follow the others; one that was set stays, even if it
	# equals its default.
	ctl set $tracker --high 0.5g
	expect "$tracker: max 512M, high 512M, low-water 230.4M" "$out"
	ctl set $tracker --low-water default
	ctl set $tracker --max 1GiB
	expect "$tracker: max 1G, high 512M, low-water 384M" "$out"
	ctl trackers -n -o NAME,SET
	says "$tracker     max,high"
	json trackers-set trackers -J -o name,set
	says '"set": ["max","high"]' '"set": []'
	ctl set $tracker --high default
	expect "$tracker: max 1G, high 1G, low-water 768M" "$out"
	ctl set $tracker --high 1048576 --bytes
	expect "$tracker: max 1073741824, high 1048576, low-water 786432" "$out"
	ctl set $tracker --max unlimited --high unlimited
	expect "$tracker: max unlimited, high unlimited, low-water unlimited" \
		"$out"
	refused 2 "option '--low-water': invalid size 'unlimited'" \
		memquotactl set $tracker --low-water unlimited
	refused 2 "max is unlimited" memquotactl set $tracker --high 5%
	refused 2 "high is unlimited" \
		memquotactl set $tracker --low-water 5%
	ctl set $tracker --max 50% --json
	json set set $tracker --max 64M -J
	says '"max": 67108864' '"name": "ctl"'
	refused 3 "tracker 'other': not found" memquotactl set other --max 1M
}

# The kernel's own messages.
refused_limits() {
	new_tracker --max 64M
	refused 1 "max is below high" memquotactl set $tracker --high 65M
	refused 1 "low_water is above 98 % of high" \
		memquotactl set $tracker --low-water 99%
	refused 1 "low_water is below 163840 bytes: raise it" \
		memquotactl set $tracker --low-water 4K
	refused 1 "tracker '$tracker': high is below 218454 bytes: raise it" \
		memquotactl set $tracker --high 218453
	refused 1 "tracker 'other': max is below 218454 bytes: raise it" \
		memquotactl create other --max 10000
	refused 1 "low_water is above 98 %" memquotactl set $tracker \
		--low-water 99% --dry-run
	refused 1 "max is below high" memquotactl create other --max 1M --high 2M
	refused 3 "" memquotactl accounts other
	ctl set $tracker --low-water 98%
	ctl set $tracker --high 10M --low-water 9M --dry-run
	line 1 "$tracker: max 64M, high 10M, low-water 9M"
	line 2 "The limits are valid; nothing was changed."
	json dry-run set $tracker --high 8M --low-water default --dry-run --json
	says '"high": 8388608' '"low_water": 6291456'
	ctl trackers -n -o MAX,HIGH --bytes
	says "67108864 67108864"
}

create_and_destroy() {
	ctl create other --max 8M
	expect "other: max 8M, high 8M, low-water 6M" "$out"
	refused 1 "tracker 'other': already exists" memquotactl create other
	refused 1 "tracker 'a/b': invalid name: " memquotactl create a/b
	refused 1 "': invalid name: expected printable UTF-8" \
		memquotactl set "$(printf 'a\tb')" --max 1M
	refused 1 "not open to programs" memquotactl hold 1M -t other
	ctl destroy other
	expect "" "$out"
	refused 3 "tracker 'other': not found" memquotactl destroy other
	refused 1 "owned by a kernel module" memquotactl destroy default
	ctl create off --disabled
	ctl trackers -n -o name,state,total,max
	says "off     disabled     -   -"
	refused 1 "created disabled" memquotactl set off --max 1M
	ctl set off --max unlimited
	expect "off: max unlimited, high unlimited, low-water unlimited" "$out"
	ctl destroy off
}

tree() {
	new_tracker
	ctl accounts $tracker
	expect "" "$out"
	hold 4M --name first
	first=$id
	hold 0 --name second
	second=$id
	hold 1M --name child --parent "$first" --parent "$second"
	child=$id
	hold 2M --name "grand child" -p "$child"
	grand=$id
	ctl accounts $tracker
	line 1 "NAME ID HELD PEAK MAX REFUSED RECLAIMS PARTS"
	line 2 "first $first 4M 4M - 0 0 1"
	line 3 "\`-child 1/2 $child 1M 1M - 0 0 1"
	line 4 " \`-grand child $grand 2M 2M - 0 0 1"
	line 5 "second $second 0 0 - 0 0 1"
	line 6 "\`-child 2/2 $child 1M 1M - 0 0 1"
	line 7 ""
	ctl accounts
	line 2 "first $first 4M 4M - 0 0 1 $tracker"
	ctl accounts $tracker --sort name -n -o name,id
	line 1 "first $first"
	json tree accounts --json
	says '"again": true' "\"parents\": [$first,$second]" '"parents": []' \
		'"children": [' '"nr_children": 1'
	ctl accounts --list -n -o NAME,PARENTS
	line 3 "child $first,$second"
	ctl accounts --list --sort HELD -n -o NAME
	expect "first grand child child second" "$(echo "$out" | xargs)"
	ctl accounts --list --sort NAME -n -o NAME
	expect "child first grand child second" "$(echo "$out" | xargs)"
	ctl accounts $tracker -n -o ID
	expect "$first $second $child $grand" "$(echo "$out" | xargs)"
	json list accounts $tracker --list --json
	says_not '"children"'
	refused 3 "tracker 'other': not found" memquotactl accounts other

	# A parent that closes takes its branch along, and no other account.
	set -- $holders
	kill "$1"
	ended 0 "$1"
	ctl accounts $tracker -n -o name
	line 1 second
	line 2 "\`-child"
	line 3 " \`-grand child"
	line 4 ""
}

# The tree has 32 levels: neither terminals nor readers of JSON take more.
deep_tree() {
	new_tracker
	hold 0 --name link
	root=$id
	for depth in $(seq 36); do
		hold 0 --name "link-$depth" --parent "$id"
		[ "$depth" != 32 ] || above=$id
	done
	ctl accounts $tracker -n -o NAME,ID
	line 1 "link $root"
	line 33 " \`-link-32 $above"
	line 34 "... link-33 $((above + 1))"
	line 35 "\`-link-34 $((above + 2))"
	line 38 ""
	json deep accounts $tracker --json --output name,parents
	says "\"parents\": [$above]"
	says_not "..."
	expect 37 "$(echo "$out" | grep -c '"name"')"
}

# Modules can give names that programs cannot, and cut them inside a character.
names_of_modules() {
	insmod "${module%/*}/mqpipe.ko"
	eventually test -w /dev/mqpipe/control
	echo create pipe >/dev/mqpipe/control
	# An account has the name of the program that opens it.
	program=$(printf '%s/a\377"\nb\303' "$tmp")
	printf '#!/bin/sh\nexec 3<>/dev/mqpipe/pipe\nread -r line\n' >"$program"
	chmod +x "$program"
	mkfifo "$tmp/fifo"
	"$program" <"$tmp/fifo" &
	pid=$!
	exec 4>"$tmp/fifo"
	label="a?\\\"?b?/$pid"
	eventually sh -c "memquotactl accounts default | grep -q '/$pid '"
	json name-of-module accounts default --json
	says "\"name\": \"$label\""
	ctl export --accounts
	says ",name=\"$label\"} 0"
	exec 4>&-
	wait "$pid"
	echo remove pipe >/dev/mqpipe/control
	rmmod mqpipe
}

show() {
	new_tracker
	hold 3M --name "it's \"5\" \\ %s é"
	ctl show "$id"
	line 1 "NAME it's \"5\" \\ %s é"
	line 2 "ID $id"
	line 3 "HELD 3M"
	says "TRACKER   $tracker" "PARENTS   -" "MAX       -"
	json show show "$id" --json
	says "\"id\": $id" '"parents": []' "it's \\\"5\\\" \\\\ %s é"
	export LC_ALL=C
	json show-c show "$id" --json
	says "it's \\\"5\\\" \\\\ %s é"
	ctl top --once
	says "it's \"5\""
	unset LC_ALL
	ctl show "$id" --bytes
	says "HELD      31"
	refused 3 "account $((id + 1)): not found" memquotactl show $((id + 1))
	refused 3 "account 0: not found" memquotactl show 0
	let_go
	refused 3 "account $id: not found" memquotactl show "$id"
	refused 3 "account $id: not found" memquotactl hold 1M -t $tracker -p "$id"
}

hold_until() {
	new_tracker --max 16M --high 16M
	for signal in TERM INT HUP; do
		hold 1M
		kill -$signal "$pid"
		ended 0 "$pid"
	done
	refused 1 "tracker '$tracker': charge refused" memquotactl hold 17M -t $tracker
	refused 2 "invalid account name" memquotactl hold 1M -t $tracker \
		-n "$(printf 'a\tb')"
	refused 2 "invalid tracker name" memquotactl hold 1M \
		-t "$(printf 'a\tb')"
	refused 2 "invalid tracker name" memquotactl hold 1M \
		-t "$(printf 'a\tb')" -p 1
	refused 3 "tracker 'none': not found" memquotactl hold 1M -t none
	hold 1M --json
	case $id in
	'{"id": '*', "tracker": "ctl", "held": 1048576}') ;;
	*) expect "an id in JSON" "$id" ;;
	esac
	# Its tracker goes.
	ctl destroy $tracker
	ended 4 "$pid"
	expect "" "$(grep -v ': closed$' "$tmp/said")"
}

# Oldest first: hold tells how old its data is, at most the machine's uptime.
hold_and_reclaim() {
	new_tracker
	hold 4M --age 3 --partial --name partial
	partial=$pid
	hold 4M --age 2 --name old
	old=$pid
	hold 4M --age 1 --name young
	young=$pid
	ctl set $tracker --high 11M --low-water 9M
	sleep 0.5
	ctl accounts $tracker -n -l -o NAME,HELD
	line 2 "old 4M"
	line 3 "young 4M"
	ctl accounts $tracker -n -l -o HELD --bytes
	left=$(echo "$out" | head -n 1)
	# Reclaimed down to 9M of 12M, and what CPU caches hold.
	[ "$left" -le 1048576 ] && [ "$left" -gt 900000 ] ||
		expect "some 1M" "$left"
	ctl set $tracker --high 8M --low-water 5M
	ended 4 "$old"
	ctl accounts $tracker -n -l -o NAME
	says young partial
	says_not old
	kill "$partial" "$young"
	ended 0 "$young"
	ended 0 "$partial"
}

metrics() {
	new_tracker --high 32M
	hold 1M --name 'a "quoted\" name'
	ctl export
	expect "" "$(echo "$out" |
		grep -vE '^# (HELP|TYPE) memquota_[a-z_]+ .+$' |
		grep -vE '^memquota_[a-z_]+\{[^{}]*\} (\+Inf|[0-9]+)$')"
	says "memquota_tracker_high_bytes{tracker=\"$tracker\"} 33554432" \
		"memquota_tracker_max_bytes{tracker=\"$tracker\"} +Inf" \
		"# TYPE memquota_tracker_reclaims_total counter" \
		"memquota_tracker_state{tracker=\"$tracker\",state=\"counting\"} 1" \
		"memquota_tracker_state{tracker=\"$tracker\",state=\"poisoned\"} 0"
	says_not "quoted"
	ctl export --accounts
	labels="tracker=\"$tracker\",id=\"$id\""
	says "memquota_account_held_bytes{$labels,name=\"a \\\"quoted\\\\\\\" name\"} 1"
	expect "" "$(echo "$out" | grep ^# | sort | uniq -d)"

	echo before >"$tmp/memquota.prom"
	before=$(stat -c %i "$tmp/memquota.prom")
	(umask 022 && memquotactl export --output "$tmp/memquota.prom") ||
		expect written "$?"
	expect 644 "$(stat -c %a "$tmp/memquota.prom")"
	[ "$before" != "$(stat -c %i "$tmp/memquota.prom")" ] ||
		expect "another file" "the same"
	grep -q '^memquota_tracker_high_bytes' "$tmp/memquota.prom" ||
		expect metrics "$(cat "$tmp/memquota.prom")"
	expect "" "$(cd "$tmp" && ls memquota.prom.* 2>/dev/null)"
	refused 1 "No such file" memquotactl export -o "$tmp/none/x.prom"
	# A failure leaves the old file, and no temporary one.
	mkdir "$tmp/folder.prom"
	refused 1 "not a regular file" memquotactl export -o "$tmp/folder.prom"
	expect "" "$(cd "$tmp" && ls -d folder.prom.* 2>/dev/null)"
	rmdir "$tmp/folder.prom"
	# /dev/null and /dev/stdout are such files, which root could replace.
	mkfifo "$tmp/pipe.prom"
	refused 1 "not a regular file" memquotactl export -o "$tmp/pipe.prom"
	ln -s memquota.prom "$tmp/link.prom"
	refused 1 "not a regular file" memquotactl export -o "$tmp/link.prom"
	rm "$tmp/pipe.prom" "$tmp/link.prom"
}

in_a_terminal() {
	new_tracker --high 8M --low-water 6M
	hold 6M --name a-name-of-thirty-one-bytes-long --partial
	parent=$id
	hold 512K --parent "$parent" --name another-name-that-is-very-long
	hold 512K --parent "$parent" --name and-one-more-name-that-is-long
	yellow=$(printf '\033[1;33m')
	terminal memquotactl trackers
	expect 0 "$status"
	says "NAME" "$tracker" "$yellow"
	terminal NO_COLOR=1 memquotactl trackers
	says "$tracker"
	says_not "$(printf '\033')"
	ctl trackers
	says_not "$(printf '\033')"
	for command in info accounts "accounts $tracker" "accounts --list" \
			"show $id" "trackers --help" "hold --help"; do
		terminal memquotactl "$command"
		expect 0 "$status"
	done
	terminal LC_ALL=C.UTF-8 memquotactl accounts $tracker
	says "├─another" "└─and-one"
}

# live KEY ARGUMENT...: press the key in top, then q
live() {
	key=$1
	shift
	: >"$tmp/out"
	# shellcheck disable=SC2094 # the keys are pressed once the screen is there
	(until_true grep -q "q quit" "$tmp/out"; printf %s "$key"; sleep 2
	 printf q) |
		TERM=linux script -q -e -c \
		"stty cols 80 rows 24; memquotactl top $*" /dev/null \
		>"$tmp/out" 2>&1
	expect 0 $?
	out=$(tr -d '\r' <"$tmp/out")
}

top() {
	new_tracker --high 8M --low-water 6M
	hold 2M --name small
	hold 5M --name large
	hold 0 --name a-name-of-thirty-one-bytes-long
	ctl top --once
	says "trackers, 3 accounts"
	expect "" "$(echo "$out" | awk 'length > 80')"
	expect "large small" "$(echo "$out" | sed -n 's/.* //; /^large\|^small/p' |
		xargs)"
	says "[###################" "M of 8M" "peak 7"
	ctl top $tracker --once --sort name
	says "1 tracker,"
	says_not "default"
	expect "large small" "$(echo "$out" | sed -n 's/.* //; /^large\|^small/p' |
		xargs)"
	ctl top --once --sort ID
	expect "small large" "$(echo "$out" | sed -n 's/.* //; /^large\|^small/p' |
		xargs)"
	refused 3 "tracker 'other': not found" memquotactl top other --once
	json top top --json --once
	says '"trackers": [{' '"accounts": [{' '"name": "large"'
	run timeout -s INT 2 memquotactl top --json --delay 0.3
	[ "$(echo "$out" | wc -l)" -gt 2 ] || expect "some lines" "$out"

	# As the terminal "linux" does it.
	inverse=$(printf ';7m\017')
	live s
	says "$inverse  PEAK" "3 accounts" "q quit" "large" "$(printf '\033[33m')" "peak 7"
	# From a column that is not displayed, the keys go to the first and the last.
	live s --sort CHILDREN
	says "$inverse     ID"
	live S --sort CHILDREN
	says "${inverse}NAME"
	terminal TERM=none memquotactl top
	expect 1 "$status"
	says "terminal 'none': unknown type"
}

# watch ARGUMENT...: events in the background, as $pid, to $tmp/events
watch() {
	memquotactl events "$@" >"$tmp/events" 2>"$tmp/said" &
	pid=$!
	instance=/sys/kernel/tracing/instances/memquotactl.$pid
	eventually grep -q 1 \
		"$instance/events/memquota/memquota_reclaim_end/enable"
	eventually grep -q 1 "$instance/tracing_on"
}

events() {
	if [ ! -e /sys/kernel/tracing/events/memquota ]; then
		refused 3 "mount tracefs" memquotactl events
		return
	fi
	refused 3 "tracker 'other': not found" memquotactl events other
	new_tracker --high 64M
	# Names that look like fields of an event.
	hold 4M --age 60 --name "x participant=\"y held=1"
	hostile=$id
	hold 4M --partial --name part
	part=$id
	# A killed memquotactl leaves its instance; the next one removes it.
	watch
	kill -9 "$pid"
	killed=$pid
	watch "$tracker" --json
	lines=$pid
	[ ! -e /sys/kernel/tracing/instances/memquotactl."$killed" ] ||
		expect "no instance" "memquotactl.$killed"
	mv "$tmp/events" "$tmp/lines"
	watch
	ctl set $tracker --high 7M --low-water 3M
	eventually grep -q ' end  ' "$tmp/events"
	sleep 0.2
	kill "$pid" "$lines"
	ended 0 "$pid"
	ended 0 "$lines"
	expect "" "$(ls -d /sys/kernel/tracing/instances/memquotactl.* 2>/dev/null)"
	out=$(cut -c 14- "$tmp/events")
	line 1 "EVENT TRACKER WHAT"
	says "start $tracker        total 8M, high 7M, low-water 3M" \
		"ask   $tracker        $hostile " ": holds 4M, " "s old, collapses" \
		"ask   $tracker        $part part/part: holds 4M, wants 1M" \
		"freed $tracker        $part part/part: 1M" \
		"end   $tracker        total " ", low-water 3M, freed 5M in "
	out=$(cat "$tmp/lines")
	json_of eventsl
	says '"event": "start", "tracker": "ctl", "total": 8' \
		"\"account\": $hostile, " '"held": 4194304' \
		"\"account\": $part, \"name\": \"part\", \"participant\": \"part\", \"bytes\": 1" \
		'"reached": true}'

	# It ends with its reader, even without an event.
	run timeout 30 sh -c 'memquotactl events | head -n 1'
	expect 0 "$status"
	says TIME
	expect "" "$(ls -d /sys/kernel/tracing/instances/memquotactl.* 2>/dev/null)"

	# Events of another tracker are not shown.
	memquotactl events default --noheadings >"$tmp/events" 2>&1 &
	pid=$!
	sleep 3
	ctl set $tracker --high 2M --low-water default
	sleep 1
	kill "$pid"
	ended 0 "$pid"
	expect "" "$(cat "$tmp/events")"
	let_go
	watch
	unload memquota
	ended 3 "$pid"
	expect "memquotactl: module memquota: unloaded" \
		"$(cat "$tmp/said")"
	insmod "$module"
}

output_fails() {
	[ -e /dev/full ] || return
	run sh -c "memquotactl trackers >/dev/full"
	expect 1 "$status"
	says_not NAME
	run sh -c "memquotactl --help >/dev/full"
	expect 1 "$status"
	# A reader that closes early, even if SIGPIPE is ignored.
	new_tracker
	hold 0
	for command in trackers accounts "accounts --json" "top --once" \
			"top --json" export "export --accounts"; do
		run sh -c "trap '' PIPE
			(sleep 0.2; timeout 20 memquotactl $command
			 echo \$? >$tmp/status) | true"
		expect "" "$err"
		eventually test -s "$tmp/status"
		expect 0 "$(cat "$tmp/status")"
		rm "$tmp/status"
	done
}

after_case() {
	let_go
	memquotactl destroy $tracker >/dev/null 2>&1
}

command -v memquotactl >/dev/null || skip_all "no memquotactl"
command -v script >/dev/null || skip_all "no script"
[ -x $setpriv ] || skip_all "no $setpriv"
[ -e "$module" ] || skip_all "no $module"
[ "$(id -u)" = 0 ] || skip_all "not root"
all="no_module help_of_each wrong_usage info rights trackers limits
	refused_limits create_and_destroy tree deep_tree names_of_modules
	show hold_until hold_and_reclaim
	metrics in_a_terminal top events output_fails"
[ $# = 0 ] || all=$*
trap 'let_go; exit 1' INT TERM
run_cases $all
rm -rf "$tmp"
ktap_finished
