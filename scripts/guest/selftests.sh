# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Run each test in /selftests, on a machine with memquota loaded, for at most
# TIMEOUT seconds, and leave its output in /out.

failed=0
insmod /modules/memquota.ko || exit 1
for test in /selftests/*; do
	[ -x "$test" ] || continue
	name=${test##*/}
	echo "# selftests: $name"
	# 64-bit kernels that run 32-bit programs have this.
	if [ "${name%32}" != "$name" ] && [ ! -e /proc/sys/abi/vsyscall32 ]; then
		echo "ok 1 $name # SKIP no 32-bit programs" >"/out/$name.tap"
		continue
	fi
	timeout "${TIMEOUT:-600}" "$test" >/tmp/tap 2>&1 </dev/null
	status=$?
	cat /tmp/tap
	case $status in
	0 | 4) ;;
	*)
		echo "selftests: $name: exit status $status"
		grep -q '^not ok' /tmp/tap ||
			echo "not ok $name: exit status $status" >>/tmp/tap
		failed=1
		;;
	esac
	cp /tmp/tap "/out/$name.tap"
done
rmmod memquota || {
	echo "selftests: memquota does not unload"
	failed=1
}
exit $failed
