# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC2317
#
# Run each bpftrace and perf command of /observing.rst while pipes are reclaimed,
# and check that it prints something. Leave TAP in /out. See scripts/bpftrace.sh.

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

# prints PATTERN COMMAND...: return whether the output of the command matches
prints() {
	pattern=$1
	shift
	"$@" >/printed 2>&1
	cat /printed
	grep -q "$pattern" /printed
}

bpftrace() {
	LD_LIBRARY_PATH=/bpftrace /bpftrace/ld-linux-x86-64.so.2 \
		/bpftrace/bpftrace "$@"
}

# Take the commands after a prompt of the page.
sed -n 's/^[[:space:]]*# \(bpftrace\|perf\) /\1 /p' /observing.rst >/commands
echo "TAP version 13" >$tap
while read -r command <&9; do
	cases=$((cases + 1))
	insmod /modules/memquota.ko high=2M low_water=1800K
	insmod /modules/mqpipe.ko
	echo "# $command"
	case $command in
	bpftrace*) prints '^@' eval "$command -c '/bin/sh /pipes.sh'" ;;
	*" sleep "*) prints 'memquota:\|perf record:' \
		eval "${command%sleep *} /bin/sh /pipes.sh" ;;
	*) prints 'memquota:' eval "$command" ;;
	esac
	# shellcheck disable=SC2181 # the status of the case
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
	echo "no commands found in observing.rst"
	failed=1
}
exit $failed
