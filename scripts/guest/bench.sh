# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Run the groups of benchmarks in BENCH_GROUPS, separated by commas, in a cgroup
# other than the root, and leave the results in /out. programs_NAME is group
# NAME of kmod/bench/programs.c.

bench=/sys/kernel/debug/memquota_bench
failed=0

mkdir -p /sys/fs/cgroup
if mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null; then
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir /sys/fs/cgroup/bench
	echo $$ >/sys/fs/cgroup/bench/cgroup.procs
fi

# Keep the default tracker from reclaiming private accounts.
insmod /modules/memquota.ko max=1024G || exit 1
# shellcheck disable=SC2086 # any number of arguments
insmod /modules/memquota_bench.ko ${BENCH_ARGS:+$BENCH_ARGS} || exit 1
: >/tmp/programs
for group in $(echo "$BENCH_GROUPS" | tr , ' '); do
	case $group in
	programs_*) programs "${group#programs_}" >>/tmp/programs ;;
	# The plugin counts each CPU apart, so stay on one.
	two_cpus) taskset 1 sh -c "echo $group >$bench/run" ;;
	*) echo "$group" >$bench/run ;;
	esac || {
		echo "bench: $group failed"
		failed=1
	}
done
cat /tmp/programs
cat $bench/results /tmp/programs >/out/results
uname -r >/out/kernel
uname -v >/out/version
grep -c ^processor /proc/cpuinfo >/out/cpus
rmmod memquota_bench && rmmod memquota || failed=1
exit $failed
