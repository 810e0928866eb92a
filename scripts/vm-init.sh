#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# The init of every virtual machine: run /script, print its exit status and power
# off. build/out/NAME on the host gets the files that the script leaves in /out.
# The kernel puts NAME=VALUE of its command line into the environment.

/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /tmp /out /root
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/root TERM="${TERM:-linux}"

mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /dev/pts
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ifconfig lo 127.0.0.1 up 2>/dev/null
ln -s /proc/self/fd /dev/fd
exec </dev/console >/dev/console 2>&1

# KCSAN is off during the boot, whose races are not of interest.
[ ! -e /sys/kernel/debug/kcsan ] || echo on >/sys/kernel/debug/kcsan

echo "memquota-vm: begin, Linux $(uname -r)"
cd /root || exit
if [ -n "$INTERACTIVE" ]; then
	[ ! -s /script ] || sh /script
	setsid cttyhack sh
	status=0
else
	sh /script
	status=$?
fi

if [ -n "$(ls /out)" ]; then
	stty raw -F "$OUT_TTY" 2>/dev/null
	{ tar -C /out -c . | gzip | base64; echo end; } >"$OUT_TTY"
	sleep 1
fi
echo "memquota-vm: end, status $status"
sleep 0.2
poweroff -f
