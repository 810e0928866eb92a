#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: check what can be checked without running the modules: coding
# style, static checkers, compilers' warnings, layers, models, documentation. The
# last line counts the findings.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

steps=11
findings=0
work=$BUILD/check
# Code for user space beside selftests and the tool.
user_space=(kmod/bench/programs.c kmod/samples/mqpipe_demo.c scripts/cachelines.c)

# files PATTERN...: list the files of the checkout, committed or not ignored
files() {
	git -C "$TOP" ls-files -co --exclude-standard -- "$@" |
		while IFS= read -r file; do
			[ ! -f "$TOP/$file" ] || echo "$file"
		done
}

# report NAME COMMAND...: count each line that the command prints as a finding
report() {
	local name=$1 lines n
	shift
	lines=$("$@" 2>&1 | sed "s|$work/[a-z0-9.-]*/modules/[^/]*/||g" |
		sort -u) || :
	[ -n "$lines" ] || return 0
	n=$(wc -l <<<"$lines")
	findings=$((findings + n))
	printf '%s: %d\n%s\n' "$name" "$n" "$lines"
}

# compile NAME KERNEL MAKE-ARGUMENT...: build from scratch and print warnings
compile() {
	local name=$1 kernel=$2 log=$LOGS/check-$1.log status=0
	shift 2
	rm -rf "${work:?}/$name"
	BUILD=$work/$name "$TOP/scripts/build-modules.sh" "$kernel" "$@" \
		>"$log" 2>&1 || status=$?
	grep -E '(warning|error|WARNING|ERROR): |Warning: ' "$log" |
		grep -vE 'compiler differs|Skipping BTF' |
		if [ "${name#clang}" = "$name" ]; then
			cat
		else
			# Those come from dropped flags, and from the kernel's
			# headers and macros.
			grep -vE ' objtool: |^/.* warning:|__UNIQUE_ID_(guard|unlock)'
		fi || :
	[ $status = 0 ] || echo "the build failed: see $log"
	# The kernel's build may ignore CC.
	[ $status != 0 ] || [ "${name#clang}" = "$name" ] ||
		readelf -p .comment "$work/$name/modules/$kernel/kmod/memquota.ko" |
		grep -q clang || echo "not built by clang"
}

# alone NAME KERNEL: compile each public header by itself, with and without
# CONFIG_MEMQUOTA
alone() {
	local name=$1 kernel=$2 dir=$work/$1 header i=0 log=$LOGS/check-$1.log
	local arch=()
	rm -rf "$dir"
	mkdir -p "$dir"
	for header in "$TOP"/kmod/include/memquota/*.h "$TOP"/uapi/linux/*.h; do
		i=$((i + 1))
		# Included twice, to test its include guard.
		printf '#include <%s/%s>\n' \
			"$(basename "$(dirname "$header")")" \
			"$(basename "$header")" | sed p >"$dir/with$i.c"
		cp "$dir/with$i.c" "$dir/without$i.c"
		echo "obj-m += with$i.o without$i.o"
		echo "CFLAGS_with$i.o := -DCONFIG_MEMQUOTA_MODULE=1"
	done >"$dir/Kbuild"
	echo "ccflags-y := -I$TOP/kmod/include -I$TOP/uapi" >>"$dir/Kbuild"
	case $kernel in
	uml*) arch=(ARCH=um) ;;
	esac
	# Build only the objects: they are no modules.
	make -s -C "$(realpath "$("$TOP/scripts/kernel.sh" "$kernel")/kdir")" \
		M="$dir" "${arch[@]}" -j"$JOBS" W=1 -k \
		$(seq -f "with%g.o" $i) $(seq -f "without%g.o" $i) \
		>"$log" 2>&1 </dev/null || :
	grep -E '(warning|error): ' "$log" || :
}

# Compile the uapi header as C and C++, for 32 and 64 bits, without padding.
uapi() {
	local language bits flags='-Wall -Wextra -Wpadded -pedantic -Wno-long-long'
	for language in c:c90 c:c2x c++:c++98 c++:c++20; do
		for bits in 32 64; do
			# shellcheck disable=SC2086 # flags are to be split
			echo '#include <linux/memquota.h>' |
				gcc -x "${language%:*}" \
				-std="${language#*:}" -m$bits $flags \
				-I"$TOP/uapi" \
				-I"/usr/include/$(gcc -dumpmachine)" \
				-fsyntax-only - 2>&1 |
				grep -E 'warning|error' |
				sed "s/^/$language, $bits bits: /" || :
		done
	done
}

# Name exported functions without kernel-doc at definition or declaration.
exported() {
	local file name
	files 'kmod/*.c' ':!kmod/tests' ':!kmod/bench' ':!kmod/samples' |
		while IFS= read -r file; do
		sed -n 's/^EXPORT_SYMBOL_GPL(\(memquota_[a-z_]*\));/\1/p' \
			"$file" | while IFS= read -r name; do
			# Data and debugging symbols need only a comment.
			case $name in
			memquota_closed_* | memquota_debug_*) continue ;;
			esac
			grep -qE "^ \* $name(\(\))? - " "$file" \
				kmod/include/memquota/*.h ||
				echo "$file: $name has no kernel-doc"
		done
	done
}

# Wrap clang to drop flags that only the kernel's own compiler knows.
clang_wrapper() {
	cat >"$work/clang" <<'END'
#!/bin/bash
unknown=$(clang -### "$@" 2>&1 |
	sed -n "s/^clang.*: error: unknown argument:\{0,1\} '\([^']*\)'.*/\1/p
		s/^clang.*: error: unsupported option '\([^']*\)'.*/\1/p")
args=()
for arg; do
	# Older versions require a second flag with it.
	[ "$arg" != -ftrivial-auto-var-init=zero ] || continue
	grep -qxF -e "$arg" <<<"$unknown" || args+=("$arg")
done
exec clang "${args[@]}" -Qunused-arguments -Wno-unknown-warning-option \
	-Wno-ignored-optimization-argument -Wno-unused-command-line-argument
END
	chmod +x "$work/clang"
}

# Build the documentation with the kernel's Sphinx extension.
book() {
	local conf=$work/book
	rm -rf "$conf"
	mkdir -p "$conf/Documentation"
	cp -r "$TOP/Documentation/." "$conf/Documentation"
	cat >"$conf/conf.py" <<END
import os, sys
sys.path.insert(0, "$source/Documentation/sphinx")
os.environ["srctree"] = "$TOP"
os.environ["KBUILD_VERBOSE"] = "0"
sys.path.insert(0, "$source/tools/lib/python")
project = "memquota"
extensions = ["kerneldoc"]
master_doc = "index"
kerneldoc_srctree = "$TOP"
kerneldoc_bin = ["$source/scripts/kernel-doc"]
primary_domain = "c"
c_id_attributes = ["__must_check", "__always_inline", "inline"]
END
	sphinx-build -q -E -b html -c "$conf" "$conf/Documentation" \
		"$conf/html" 2>&1 >/dev/null </dev/null |
		grep -E 'WARNING|ERROR|Warning|Error|error' |
		# Sphinx confuses a structure and a function of one name.
		grep -v 'Duplicate C declaration' | sed "s|$conf/||" || :
}

# checkpatch IGNORED PATTERN...: run checkpatch without the IGNORED types
checkpatch() {
	local ignored=$1 file line text
	shift
	# kmalloc_obj() and the like are not in 6.1.
	files "$@" | xargs "$source/scripts/checkpatch.pl" --no-tree --strict \
		--quiet --terse --no-summary \
		--ignore "ALLOC_WITH_SIZEOF,$ignored" --file |
		while IFS=: read -r file line text; do
			# checkpatch takes it for a stray line.
			case $(sed -n "${line}p" "$file") in
			MEMQUOTA_EXPORT_INTERNAL*) ;;
			*) echo "$file:$line:$text" ;;
			esac
		done
}

style() {
	local ignored
	checkpatch , '*.[ch]' '*Kbuild' ':!kmod/*/trace.h' ':!*/compat.h' \
		':!kmod/tests/harness.h' ':!selftests' ':!uapi/memquotactl' \
		"${user_space[@]/#/:!}"
	# The macros there evaluate a condition repeatedly on purpose.
	checkpatch MACRO_ARG_REUSE kmod/tests/harness.h
	# User space has none of the kernel's types and attributes.
	checkpatch PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE \
		'selftests/*.c' "${user_space[@]}"
	# Nor has the tool, and checkpatch misreads its tables of options.
	ignored=PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,NEW_TYPEDEFS
	ignored+=,CAMELCASE,SPLIT_STRING,COMPLEX_MACRO,REPEATED_WORD
	checkpatch "$ignored" 'uapi/memquotactl/*.[ch]'
	checkpatch REPEATED_WORD '*.sh' '*.py'
	# Its purpose is to compare versions.
	ignored=LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_UNUSED
	checkpatch "$ignored,EXPORT_SYMBOL" '*/compat.h'
	# TRACE_EVENT() has a layout of its own.
	checkpatch OPEN_ENDED_LINE,SPACING,COMPLEX_MACRO,LONG_LINE,PARENTHESIS_ALIGNMENT \
		kmod/*/trace.h
}

comments() {
	files 'kmod/*.[ch]' 'uapi/*.h' |
		xargs "$source/scripts/kernel-doc" -Wall -Werror -none 2>&1 |
		grep -v 'warnings as errors' || :
}

# Compile the tool with gcc and clang and print warnings.
tool() {
	local compiler
	for compiler in gcc clang; do
		"$compiler" -O2 -Wall -Wextra -Wshadow -Wwrite-strings \
			-Wmissing-prototypes -Wstrict-prototypes -Wformat-security \
			-std=gnu11 -D_GNU_SOURCE -I"$TOP/uapi" -fsyntax-only \
			uapi/memquotactl/*.c 2>&1 | grep -E 'warning|error' || :
	done
}

manuals() {
	files 'uapi/man/*' | xargs mandoc -T lint -W style || :
}

shell() {
	files '*.sh' 'uapi/completion/*' | xargs shellcheck -x -f gcc || :
}

python() {
	local file
	for file in $(files '*.py'); do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' \
			"$file" 2>&1 | tail -n 1
	done
}

# Name files of more than 800 lines, and wildcards in Kbuild files.
sizes() {
	files '*.[ch]' '*.sh' '*.py' | while IFS= read -r file; do
		awk -v file="$file" 'END {
			if (NR > 800)
				print file ": " NR " lines, at most 800" }' \
			"$file"
	done
	files Kbuild '*/Kbuild' | xargs grep -nHF "\$(wildcard" |
		sed 's/: *\(.*\)/: name the files: \1/' || :
}

# leftovers: name files that a build in a fresh checkout changes or leaves
# behind without .gitignore covering them
leftovers() {
	local clone=$work/clone log=$LOGS/check-clone.log
	rm -rf "$clone"
	mkdir -p "$clone"
	files . | rsync -a --files-from=- "$TOP/" "$clone/"
	git init -q "$clone"
	git -C "$clone" add -f .
	make -C "$clone" -j"$JOBS" modules tool \
		KDIR="$(realpath "$("$TOP/scripts/kernel.sh" 6.1)/kdir")" \
		>"$log" 2>&1 </dev/null || echo "the build failed: see $log"
	git -C "$clone" ls-files -om --exclude-standard
}

models() {
	local log=$LOGS/check-models.log
	"$TOP/scripts/models.sh" >"$log" 2>&1 || :
	grep '^not ok' "$log" || :
	grep -qE '^[0-9]+ passed' "$log" || echo "models.sh failed: see $log"
}

cd "$TOP"
step 1 $steps "checkers, a source and kernels"
need shellcheck:shellcheck sparse:sparse clang:clang g++:g++ git:git \
	python3:python3 sphinx-build:python3-sphinx mandoc:mandoc \
	/usr/include/libsmartcols/libsmartcols.h:libsmartcols-dev \
	/usr/include/ncurses.h:libncurses-dev
need_build_tools
source=$("$TOP/scripts/kernel.sh" source)
for kernel in 6.1 6.1-arm64 uml uml-debug; do
	"$TOP/scripts/kernel.sh" $kernel >/dev/null
done
mkdir -p "$work"
clang_wrapper

step 2 $steps "coding style"
report "checkpatch" style
report "sizes" sizes
step 3 $steps "gcc and sparse, Linux 6.1"
report "gcc and sparse" compile gcc-6.1 6.1 W=1 C=2
report "gcc and sparse, debug" compile gcc-6.1-debug 6.1 W=1 C=2 MEMQUOTA_DEBUG=y \
	MEMQUOTA_BENCH=y
report "gcc, arm64" compile gcc-arm64 6.1-arm64 W=1 MEMQUOTA_DEBUG=y \
	MEMQUOTA_BENCH=y
step 4 $steps "gcc, the newest Linux"
report "gcc, newest" compile gcc-uml uml W=1
report "gcc, newest, debug" compile gcc-uml-debug uml-debug W=1 \
	MEMQUOTA_BENCH=y
step 5 $steps "clang, Linux 6.1"
report "clang" compile clang-6.1 6.1 W=1 CC="$work/clang" MEMQUOTA_BENCH=y
step 6 $steps "clang, the newest Linux"
report "clang, newest" compile clang-uml uml W=1 CC="$work/clang"

step 7 $steps "headers"
report "headers alone" alone headers-6.1 6.1
report "headers alone, newest" alone headers-uml uml
report "header of programs" uapi
report "memquotactl" tool

step 8 $steps "layers, and what a build leaves behind"
for build in gcc-6.1 gcc-6.1-debug; do
	report "layers, $build" "$TOP/scripts/layers.py" \
		"$work/$build/modules/6.1/kmod"
done
report "leftovers" leftovers

step 9 $steps "documentation"
report "kernel-doc" comments
report "exported functions" exported
report "book" book
report "manuals" manuals

step 10 $steps "scripts"
report "shellcheck" shell
report "python" python

step 11 $steps "models of the memory order"
report "models" models

count=$(files '*.[ch]' '*.sh' '*.py' '*.rst' | wc -l)
echo "$count files checked, $findings findings"
[ $findings = 0 ]
