# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Run the KUnit tests and give a verdict. FILTER=glob selects suites, or cases by
# suite.case; SPLAT=y also runs the tests that make the kernel warn, which need
# a boot of their own. insmod succeeds even when tests fail, and a report of
# lockdep switches lockdep off for good, so the verdict checks both.

debug=/sys/kernel/debug
kmemleak=$debug/kmemleak
failed=0

fail() {
	echo "kunit: $*"
	failed=1
}

# With a newline the filter would match nothing.
[ -z "$FILTER" ] ||
	printf %s "$FILTER" >/sys/module/kunit/parameters/filter_glob

insmod /modules/memquota.ko || exit 1
# Ignore what the boot and the module have leaked.
if [ -e $kmemleak ]; then
	echo scan=off >$kmemleak
	echo scan >$kmemleak
	echo clear >$kmemleak
fi

insmod /modules/memquota_kunit.ko ${SPLAT:+splat=1} ||
	fail "the tests do not load"

suites=0
for results in "$debug"/kunit/*/results; do
	[ -e "$results" ] || continue
	suite=${results%/results}
	suite=${suite##*/}
	grep -q '^ *\(not \)\?ok' "$results" || continue
	suites=$((suites + 1))
	! grep -q '^ *not ok' "$results" || fail "$suite: $(
		grep -c '^    not ok' "$results") failed"
	grep -q "^ok [0-9]* $suite\( \|\$\)" "$results" ||
		fail "$suite: did not end well"
	# The console may drop or mix lines, so keep the file.
	cp "$results" "/out/$suite.ktap"
done
[ "$suites" -gt 0 ] || fail "no tests ran"

if [ -z "$KEEP" ]; then
	rmmod memquota_kunit || fail "the tests do not unload"
	rmmod memquota || fail "memquota does not unload"
fi

# kmemleak reports objects only when they are five seconds old.
if [ -e $kmemleak ]; then
	sleep 6
	echo scan >$kmemleak
	echo scan >$kmemleak
	cat $kmemleak
	[ -z "$(head -c1 $kmemleak)" ] ||
		fail "memory was leaked"
fi
if [ -e /proc/lockdep_stats ]; then
	grep -q 'debug_locks: *1' /proc/lockdep_stats ||
		fail "lockdep has switched itself off"
fi
exit $failed
