# SPDX-License-Identifier: GPL-2.0
# Paths, messages and dependencies of all scripts. Source it.
# shellcheck shell=bash

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$TOP/build}
CACHE=${MEMQUOTA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memquota}
LOGS=$BUILD/logs
JOBS=${JOBS:-$(nproc)}
STARTED=$(date +%s)

mkdir -p "$CACHE" "$LOGS"

say() { printf '%s\n' "$*" >&2; }

die() {
	say "${0##*/}: $*"
	exit 1
}

# Print the calling script's header comment and exit.
usage() {
	sed -n '4,/^$/{s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

# step N M TEXT: print "[ 12s] step 1 of 3: TEXT"
step() {
	local n=$1 of=$2
	shift 2
	printf '[%4ds] step %d of %d: %s\n' \
		"$(($(date +%s) - STARTED))" "$n" "$of" "$*" >&2
}

# logged LOG COMMAND...: run quietly; on failure show errors and the last lines
logged() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		say "command failed: $*"
		grep -E '(error|Error|undefined reference|\*\*\*)' "$log" |
			head -n 20 >&2 || :
		say "the last lines of $log:"
		tail -n 10 "$log" >&2
		return 1
	fi
}

# Hold a lock of the cache until the script exits or calls unlock, so that two
# scripts do not build the same kernel at once.
lock() {
	exec {lock_fd}>"$CACHE/lock-$1"
	if ! flock -n "$lock_fd"; then
		say "waiting: another process prepares $1"
		flock "$lock_fd"
	fi
}

unlock() { exec {lock_fd}>&-; }

# need COMMAND-OR-FILE:PACKAGE...: install the missing packages
need() {
	local missing=() item what
	for item; do
		what=${item%%:*}
		case $what in
		/*) compgen -G "$what" >/dev/null || missing+=("${item#*:}") ;;
		*) command -v "$what" >/dev/null || missing+=("${item#*:}") ;;
		esac
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	local root=() log=$LOGS/install.log
	[ "$(id -u)" = 0 ] || root=(sudo)
	root+=(env DEBIAN_FRONTEND=noninteractive apt-get
	       -o DPkg::Lock::Timeout=300 -q -y)
	say "installing ${missing[*]} (log: $log)"
	logged "$log" "${root[@]}" install --no-install-recommends \
		"${missing[@]}" 2>/dev/null && return
	# The package lists may be missing or outdated.
	logged "$log" "${root[@]}" update
	logged "$log" "${root[@]}" install --no-install-recommends "${missing[@]}"
}

need_compiler() {
	need gcc:gcc /usr/include/stdlib.h:libc6-dev
}

# build_program SOURCE DST: build a program that runs in any virtual machine
build_program() {
	gcc -static -O2 -Wall -D_GNU_SOURCE -I"$TOP/uapi" -o "$2" "$1"
}

need_build_tools() {
	need_compiler
	need make:make flex:flex bison:bison bc:bc rsync:rsync \
		xz:xz-utils cpio:cpio patch:patch perl:perl \
		/usr/include/gelf.h:libelf-dev \
		"/usr/include/*/openssl/opensslconf.h:libssl-dev"
}
