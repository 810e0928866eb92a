# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2317
#
# Runs each bpftrace and perf command that /observing.rst shows while pipes are
# reclaimed, and checks that it has something to say: TAP in /out. See
# scripts/bpftrace.sh on the host.

cases=0
failed=0
tap=/out/bpftrace.tap

cat >/pipes.sh <<'END'
for pipe in mail news chat backup; do
	echo "create $pipe" >/dev/mqpipe/control
done
exec 3<>/dev/mqpipe/mail 4<>/dev/mqpipe/news
exec 5<>/dev/mqpipe/chat 6<>/dev/mqpipe/backup
for fd in 3 4 5 6; do
	head -c $((fd * 150000)) /dev/zero >&$fd
	sleep 0.$fd
done
sleep 1
END

# said PATTERN COMMAND...: whether the command says it
said() {
	pattern=$1
	shift
	"$@" >/said 2>&1
	cat /said
	grep -q "$pattern" /said
}

bpftrace() {
	LD_LIBRARY_PATH=/bpftrace /bpftrace/ld-linux-x86-64.so.2 \
		/bpftrace/bpftrace "$@"
}

# What the page shows after a prompt, the lines that go on with it included.
sed -n 's/^[[:space:]]*# \(bpftrace\|perf\) /\1 /p' /observing.rst >/commands
echo "TAP version 13" >$tap
while read -r command <&9; do
	cases=$((cases + 1))
	insmod /modules/memquota.ko high=2M low_water=1800K
	insmod /modules/mqpipe.ko
	echo "# $command"
	case $command in
	bpftrace*) said '^@' eval "$command -c '/bin/sh /pipes.sh'" ;;
	*" sleep "*) said 'memquota:\|perf record:' \
		eval "${command%sleep *} /bin/sh /pipes.sh" ;;
	*) said 'memquota:' eval "$command" ;;
	esac
	# shellcheck disable=SC2181 # of any of them
	if [ $? = 0 ]; then
		echo "ok $cases $command"
	else
		echo "not ok $cases $command"
		failed=1
	fi >>$tap
	rmmod mqpipe
	rmmod memquota
done 9</commands
echo "1..$cases" >>$tap
[ $cases != 0 ] || {
	echo "no commands"
	failed=1
}
exit $failed
