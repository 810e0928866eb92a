#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run-vm.sh [OPTION...] KERNEL SCRIPT [FILE...]: boot a kernel of kernel.sh with
# the modules of build/modules/KERNEL in /modules, run the script with busybox's
# shell, and return its exit status.
#
#	--cpus N	number of processors, 4 by default
#	--mem M		memory, 2G by default
#	--timeout S	seconds until the machine is killed, 300 by default
#	--append ARGS	append to the kernel's command line; NAME=VALUE gets
#			into the script's environment
#	--icount	QEMU counts: one CPU, a nanosecond per instruction
#	--plugin FILE[,ARGUMENT...]	QEMU loads the plugin, which writes
#			build/out/NAME/plugin
#	--expect REGEX	fail unless the kernel's log matches; ignore other
#			reports of the kernel
#	--name NAME	name of the log and the output, KERNEL-SCRIPT by default
#	--quiet		print the console only if the script fails
#	--interactive	open a shell on this terminal after the script
#
# A FILE is copied with the libraries that it needs: a program to /bin, any
# other file or folder to /, or SRC to DST for SRC:DST. The console is logged in
# build/logs/NAME.log. build/out/NAME gets the files that the script leaves in
# /out.
#
# Exit status: the script's; 124 after a timeout, 125 if the script did not
# finish, 126 if the kernel reported an error.
#
# ACCEL=kvm or ACCEL=tcg selects QEMU's accelerator.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cpus=4 mem=2G timeout=300 append='' icount='' plugin='' expect='' name=''
quiet='' interactive=''
while [ $# -gt 0 ]; do
	case $1 in
	--cpus) cpus=$2; shift ;;
	--mem) mem=$2; shift ;;
	--timeout) timeout=$2; shift ;;
	--append) append+=" $2"; shift ;;
	--icount) icount=y ;;
	--plugin) plugin=$2; shift ;;
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

# put SRC DST: copy into the initramfs, a program with its libraries
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
		[ -e "$src" ] || die "$src: no such file"
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
	# User-mode Linux keeps its memory in a file; /dev/shm may be too small.
	free=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9)
	[ "${free:-0}" -ge 4 ] || export TMPDIR=$BUILD/tmp
	command=("$dir/image" mem="$mem" ncpus="$cpus" seccomp=on
		 initrd="$work/initramfs" con=null
		 "con0=$input,fd:1"
		 "ssl0=null,fd:3" OUT_TTY=/dev/ttyS0 pty.legacy_count=0)
	[ "$kernel" != uml-debug ] ||
		command+=(kasan_multi_shot slab_debug=F)
	# shellcheck disable=SC2206 # arguments must be split
	command+=($append)
	;;
*)
	need qemu-system-x86_64:qemu-system-x86
	if [ -z "${ACCEL:-}" ]; then
		ACCEL=tcg
		# Without vmx or svm /dev/kvm may exist, but hang at boot.
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
	if [ -n "$plugin" ]; then
		mkdir -p "$out"
		command+=(-plugin "$plugin,out=$out/plugin")
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
# User-mode Linux can write its output only to a pipe.
exec 3> >(cat >"$work/uml-out")
writer=$!
if [ -n "$interactive" ]; then
	"${command[@]}" || status=$?
	[ ! -t 0 ] || stty sane
	exit "$status"
fi

# Filter the console: show only what the script prints.
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

# reports LOG: print the errors that the kernel reported after its boot, which
# warns about processors. Ignore races that do not name our modules, and one in
# init_file(), which writes the same 0 to credentials, unmarked.
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
	fail 124 "timed out after $timeout s"
elif [ -z "$end" ]; then
	tail -n 40 "$log" >&2
	fail 125 "the script did not finish: exit status $status"
elif [ -n "$expect" ]; then
	grep -qE "$expect" "$log" || fail 126 "the kernel did not report: $expect"
elif [ -n "$found" ]; then
	say "$found"
	fail 126 "the kernel reported errors"
fi
[ "$end" = 0 ] || [ -z "$quiet" ] || tail -n 30 "$log" >&2
[ "$end" = 0 ] || fail "$end" "the script failed: exit status $end"
