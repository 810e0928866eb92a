#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run-vm.sh [OPTION...] KERNEL SCRIPT [FILE...]: boot the kernel (see
# kernel.sh) with the modules of build/modules/KERNEL in /modules, run the
# script in it with busybox, and say how it ended.
#
#	--cpus N	processors, 4 unless told
#	--mem M		memory, 2G unless told
#	--timeout S	seconds until it is given up, 300 unless told
#	--append ARGS	for the kernel's command line; NAME=VALUE comes to the
#			script's environment
#	--icount	QEMU counts: one CPU, a nanosecond per instruction
#	--expect REGEX	the kernel is to report this; other reports are not
#			looked for
#	--name NAME	instead of KERNEL-SCRIPT, for the log and the output
#	--quiet		only the log gets the console, unless it fails
#	--interactive	a shell on this terminal, after the script
#
# A FILE comes with the libraries that it needs: a program to /bin, others and
# folders to /, or SRC:DST. The console is in build/logs/NAME.log, what the
# script leaves in /out comes to build/out/NAME.
#
# Exit status: the script's; 124 if time ran out, 125 if it did not come to its
# end, 126 if the kernel reported a mistake.
#
# ACCEL=kvm or ACCEL=tcg says what QEMU uses.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cpus=4 mem=2G timeout=300 append='' icount='' expect='' name='' quiet=''
interactive=''
while [ $# -gt 0 ]; do
	case $1 in
	--cpus) cpus=$2; shift ;;
	--mem) mem=$2; shift ;;
	--timeout) timeout=$2; shift ;;
	--append) append+=" $2"; shift ;;
	--icount) icount=y ;;
	--expect) expect=$2; shift ;;
	--name) name=$2; shift ;;
	--quiet) quiet=y ;;
	--interactive) interactive=y ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[ $# -ge 2 ] || usage
kernel=$1 script=$2
shift 2
: "${name:=$kernel-$(basename "$script" .sh)}"
[ -z "$icount" ] || cpus=1

need busybox:busybox-static cpio:cpio
dir=$("$TOP/scripts/kernel.sh" "$kernel")

mkdir -p "$BUILD/tmp"
work=$(mktemp -d "$BUILD/tmp/$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$LOGS/$name.log
out=$BUILD/out/$name
rm -rf "$out"

# put SRC DST: into the initramfs, a program with its libraries
put() {
	local lib
	mkdir -p "$work/root/$(dirname "$2")"
	cp -rL --preserve=mode,timestamps "$1" "$work/root/$2"
	[ -f "$1" ] && [ -x "$1" ] || return 0
	for lib in $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*'); do
		[ -e "$work/root/$lib" ] || put "$lib" "$lib"
	done
}

make_initramfs() {
	local file src dst
	put "$(command -v busybox)" bin/busybox
	put "$TOP/scripts/vm-init.sh" init
	chmod +x "$work/root/init"
	put "$script" script
	mkdir -p "$work/root/modules"
	if [ -e "$BUILD/modules/$kernel/list" ]; then
		xargs -r cp -t "$work/root/modules" \
			<"$BUILD/modules/$kernel/list"
	fi
	for file; do
		src=${file%%:*} dst=${file#*:}
		[ -e "$src" ] || die "no file $src"
		if [ "$src" = "$file" ]; then
			dst=$(basename "$src")
			[ ! -f "$src" ] || [ ! -x "$src" ] || dst=bin/$dst
		fi
		put "$src" "$dst"
	done
	(cd "$work/root" && find . | cpio -o -H newc -R 0:0 --quiet |
		gzip -1) >"$work/initramfs"
}

make_initramfs "$@"

append="loglevel=7 ${interactive:+INTERACTIVE=y} $append"
case $kernel in
uml*)
	input=null
	[ -z "$interactive" ] || input=fd:0
	# Its memory is a file, and /dev/shm may be small or absent.
	free=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9)
	[ "${free:-0}" -ge 4 ] || export TMPDIR=$BUILD/tmp
	command=("$dir/image" mem="$mem" ncpus="$cpus" seccomp=on
		 initrd="$work/initramfs" con=null
		 "con0=$input,fd:1"
		 "ssl0=null,fd:3" OUT_TTY=/dev/ttyS0 pty.legacy_count=0)
	[ "$kernel" != uml-debug ] ||
		command+=(kasan_multi_shot slab_debug=F)
	# shellcheck disable=SC2206 # arguments, apart
	command+=($append)
	;;
*)
	need qemu-system-x86_64:qemu-system-x86
	if [ -z "${ACCEL:-}" ]; then
		ACCEL=tcg
		# /dev/kvm can be there and yet not boot anything.
		! grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo ||
			[ ! -w /dev/kvm ] || ACCEL=kvm
	fi
	[ "$ACCEL" = kvm ] || ACCEL=tcg,thread=multi
	command=(qemu-system-x86_64)
	if [ -n "$icount" ]; then
		command+=(-accel tcg -icount "shift=0,sleep=off")
		append="tsc=reliable $append"
	else
		command+=(-accel "$ACCEL")
	fi
	command+=(-cpu max -smp "$cpus" -m "$mem" -nodefaults -no-reboot
		  -display none -kernel "$dir/image" -initrd "$work/initramfs"
		  -append "console=ttyS0 panic=-1 oops=panic OUT_TTY=/dev/ttyS1 $append"
		  -serial "${interactive:+mon:}stdio"
		  -serial "file:$work/out")
	;;
esac

ulimit -c 0
status=0
# What User-mode Linux writes to must be a pipe.
exec 3> >(cat >"$work/uml-out")
writer=$!
if [ -n "$interactive" ]; then
	"${command[@]}" || status=$?
	[ ! -t 0 ] || stty sane
	exit "$status"
fi

# The boot is of no interest unless it fails.
show() {
	if [ -n "$quiet" ]; then
		cat >/dev/null
	else
		sed -u -n '/^memquota-vm: begin/,/^memquota-vm: end/p'
	fi
}

set +e
timeout -k 5 "$timeout" "${command[@]}" </dev/null 2>&1 |
	sed -u 's/\r*$//; s/\x1b\[[0-9;?]*[A-Za-z]//g' | tee "$log" | show
status=${PIPESTATUS[0]}
set -e
exec 3>&-
wait "$writer"

touch "$work/out"
cat "$work/uml-out" >>"$work/out"
if [ -s "$work/out" ]; then
	mkdir -p "$out"
	tr -d '\r' <"$work/out" |
		sed '/^end$/,$d' | base64 -d |
		tar -xz -C "$out" --no-same-owner
fi

# reports LOG: what the kernel has to say about mistakes. It has races of its
# own (making a file writes the same 0 to the creator's credentials, unmarked),
# and its boot warns about processors.
reports() {
	sed -n '/^memquota-vm: begin/,$p' "$1" | awk '
		/=====================/ {
			if (race) {
				if (block ~ /\[(memquota|mqhttp|mqpipe)\]/ &&
				    block !~ /race in init_file \/ init_file/)
					printf "%s", block
				race = 0
				block = ""
				next
			}
			block = ""
			opened = NR
		}
		/BUG: KCSAN/ { race = 1; block = "" }
		race { block = block $0 "\n"; next }
		!/^ *\[ *[0-9]+\.[0-9]+\]/ { next }
		/BUG:|WARNING:|Oops|KASAN:|UBSAN:|ODEBUG:|refcount_t:/ ||
		/INFO: .*(stall|blocked for|deadlock|non-static key)/ ||
		/kmemleak: [1-9][0-9]* new suspected/ || /Kernel panic/ ||
		/general protection fault|soft lockup|unregister_netdevice/'
}

fail() {
	local code=$1
	shift
	say "$name: $* (log: $log)"
	exit "$code"
}

found=$(reports "$log")
end=$(sed -n 's/^.*memquota-vm: end, status \([0-9]*\)$/\1/p' "$log")
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
	tail -n 30 "$log" >&2
	fail 124 "not at its end after $timeout s"
elif [ -z "$end" ]; then
	tail -n 40 "$log" >&2
	fail 125 "it did not come to its end, exit status $status"
elif [ -n "$expect" ]; then
	grep -qE "$expect" "$log" || fail 126 "the kernel did not report: $expect"
elif [ -n "$found" ]; then
	say "$found"
	fail 126 "the kernel reports mistakes"
fi
[ "$end" = 0 ] || [ -z "$quiet" ] || tail -n 30 "$log" >&2
[ "$end" = 0 ] || fail "$end" "the script's exit status is $end"
