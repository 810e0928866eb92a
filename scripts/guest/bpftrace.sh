# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Runs each bpftrace command of /observing.rst while pipes are reclaimed, and
# checks that it has something to say. See scripts/bpftrace.sh on the host.

failed=0

cat >/pipes.sh <<'END'
for pipe in one two three four five six; do
	echo "create $pipe" >/dev/mqpipe/control
done
exec 3<>/dev/mqpipe/one 4<>/dev/mqpipe/two 5<>/dev/mqpipe/three
exec 6<>/dev/mqpipe/four 7<>/dev/mqpipe/five 8<>/dev/mqpipe/six
for fd in 3 4 5 6 7 8; do
	head -c $((fd * 150000)) /dev/zero >&$fd
	sleep 0.$fd
done
sleep 1
END

# What the page shows, without the prompt and the end of the line.
sed -n 's/^ *# bpftrace -e \(.*\)$/\1/p' /observing.rst >/programs
[ -s /programs ] || {
	echo "no programs"
	exit 1
}

exec 9</programs
while read -r program <&9; do
	insmod /modules/memquota.ko high=2M low_water=1800K
	insmod /modules/mqpipe.ko
	program=${program#\'}
	program=${program%\'}
	echo "# $program"
	LD_LIBRARY_PATH=/bpftrace /bpftrace/ld-linux-x86-64.so.2 \
		/bpftrace/bpftrace -e "$program" -c "/bin/sh /pipes.sh" >/said 2>&1
	cat /said
	grep -q '^@' /said || failed=1
	rmmod mqpipe
	rmmod memquota
done
exit $failed
