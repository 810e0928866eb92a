#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh KERNEL: prepare a kernel in the cache, and print its folder, with
#
#	image	a bzImage, or the User-mode Linux program
#	kdir	the build folder for external modules
#	source	the kernel's source (not for Debian's kernels)
#
# KERNEL is one of
#
#	6.1		Debian 12's kernel
#	6.12		Debian 12's backport
#	6.1-rt		Debian 12's kernel with PREEMPT_RT
#	6.1-arm64	Debian 12's kernel for arm64, to compile modules
#	uml		User-mode Linux, the newest packaged source, few options
#	uml-debug	the same with KASAN, lockdep, kmemleak and the like
#	kcsan		x86-64, the newest packaged source, KCSAN
#	rt		x86-64, the newest packaged source, PREEMPT_RT and lockdep
#	source		only the newest packaged source
#
# KERNEL_SRC=folder builds the last five from another source tree. A kernel in
# the cache is never updated; delete it to get a newer version.
#
# kernel.sh herd7 prepares herd7, which runs litmus tests, and prints the folder
# of its program, herd7. kernel.sh qemu-plugin prepares qemu-plugin.h, which
# plugins of the installed QEMU include, and prints its folder.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

CONFIGS=$TOP/scripts/config
PATCHES=("$TOP"/scripts/patches/*.patch)

# --- Packages, without changing apt's configuration or state ---

codename() {
	# shellcheck source=/dev/null
	. /etc/os-release && echo "$VERSION_CODENAME"
}

mirror() {
	# shellcheck disable=SC2016 # apt's variables, not the shell's
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' |
		awk -v c="$(codename)" '
			$1 == c || $1 ~ /^(old)*stable$/ { print $2; exit }'
}

# Debian's name of the architecture whose packages private_apt reads
deb_arch=amd64

# What update_lists reads: binary packages (deb) or sources (deb-src), from where
deb_type=deb
deb_suites='bookworm bookworm-backports trixie-backports sid'

apt_dir() {
	case $deb_type-$deb_arch in
	deb-amd64) echo "$CACHE/apt" ;;
	deb-src-*) echo "$CACHE/apt-src" ;;
	*) echo "$CACHE/apt-$deb_arch" ;;
	esac
}

private_apt() {
	local tool=$1 dir
	dir=$(apt_dir)
	shift
	"$tool" -q -o Dir::State="$dir/state" -o Dir::Cache="$dir/cache" \
		-o Dir::State::status="$dir/status" \
		-o Dir::Etc::SourceList="$dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o APT::Sandbox::User="$(id -un)" \
		-o APT::Architecture="$deb_arch" \
		-o APT::Architectures="$deb_arch" "$@"
}

update_lists() {
	local dir uri suite
	dir=$(apt_dir)
	uri=$(mirror)
	[ -n "$uri" ] || die "no Debian archive: add one to apt's sources"
	need /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	for suite in $deb_suites; do
		echo "$deb_type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"$uri $suite main"
	done >"$dir/sources.list"
	logged "$LOGS/apt-update.log" private_apt apt-get update
}

# fetch DIR PACKAGE...: download packages: NAME, NAME=VERSION or NAME/SUITE
fetch() {
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && logged "$LOGS/fetch.log" private_apt apt-get download "$@")
}

depends_on() {
	private_apt apt-cache show "$1" |
		sed -n 's/^Depends: //p' | tr ',|' '\n' | tr -d ' ' |
		sed 's/(.*//' | grep -E "$2" | head -n 1
}

unpack() {
	dpkg --fsys-tarfile "$1" |
		tar -x -C "$2" --exclude='./lib/modules/*/kernel' \
			--exclude='./usr/lib/modules/*/kernel' \
			--exclude='./usr/share/doc'
}

# --- Debian's kernels ---

# stock_kernel NAME SUITE FLAVOUR: FLAVOUR ends Debian's names, as in
# linux-image-rt-amd64.
stock_kernel() {
	local name=$1 suite=$2 flavour=$3
	local version image headers common kbuild work root deb

	step 1 3 "$name: reading package lists"
	deb_arch=${flavour##*-}
	update_lists
	version=$(private_apt apt-cache madison "linux-image-$flavour" |
		awk -v s="$suite/main" '$0 ~ " " s " " { print $3; exit }')
	[ -n "$version" ] || die "no linux-image-$flavour in $suite"
	image=$(depends_on "linux-image-$flavour=$version" '^linux-image-')
	headers=$(depends_on "linux-headers-$flavour=$version" '^linux-headers-')
	common=$(depends_on "$headers" '^linux-headers-.*-common')
	kbuild=$(depends_on "$headers" '^linux-kbuild-')

	dir=$CACHE/$name-$version
	[ ! -e "$dir/complete" ] || return 0
	work=$dir.tmp
	rm -rf "$work" "$dir"
	mkdir -p "$work/root"

	step 2 3 "$name: downloading $image $version and its headers"
	fetch "$work/packages" "$image" "$headers" "$common"
	# The programs that build modules run on this machine.
	if [ "$deb_arch" != amd64 ]; then
		deb_arch=amd64
		update_lists
	fi
	fetch "$work/packages" "$kbuild=$version"

	step 3 3 "$name: unpacking"
	for deb in "$work"/packages/*.deb; do
		unpack "$deb" "$work/root"
	done
	rm -r "$work/packages"
	root=$work/root/usr/src
	# The headers contain absolute paths to /usr/src.
	grep -rlIF /usr/src/linux-headers "$root/$headers" --include=Makefile \
		--include=.kernelvariables |
		xargs -r sed -i "s,/usr/src/linux-headers,$dir/root/usr/src/linux-headers,g"
	ln -s "root/usr/src/$headers" "$work/kdir"
	ln -s "root/boot/vmlinuz-${image#linux-image-}" "$work/image"
	touch "$work/complete"
	mv "$work" "$dir"
}

# --- Kernels built here ---

newest_source_package() {
	private_apt apt-cache search --names-only '^linux-source-[0-9.]+$' |
		awk '{ print $1 }' | sort -V | tail -n 1
}

# Set src to the source with the patches of this checkout.
get_source() {
	local package version work key pattern

	key=$(cat "${PATCHES[@]}" | sha256sum | cut -c1-8)
	if [ -n "${KERNEL_SRC:-}" ]; then
		pattern=$CACHE/source-own-$(
			realpath "$KERNEL_SRC" | sha256sum | cut -c1-8)-$key
	else
		pattern="$CACHE/source-[0-9]*-$key"
	fi
	src=$(newest "$pattern")
	[ -z "$src" ] || return 0

	lock apt
	src=$(newest "$pattern")
	if [ -n "$src" ]; then
		unlock
		return 0
	fi
	if [ -n "${KERNEL_SRC:-}" ]; then
		step 1 4 "copying $KERNEL_SRC"
		src=$pattern
		work=$src.tmp
		rm -rf "$work"
		cp -a --reflink=auto "$KERNEL_SRC" "$work"
		logged "$LOGS/mrproper.log" make -C "$work" mrproper
	else
		step 1 4 "looking for the newest kernel source"
		update_lists
		package=$(newest_source_package)
		version=$(private_apt apt-cache show "$package" |
			awk '$1 == "Version:" { print $2; exit }')
		src=$CACHE/source-${version%%~*}-$key
		work=$src.tmp
		rm -rf "$work" "$work.deb"
		mkdir -p "$work"
		step 1 4 "downloading and unpacking $package $version"
		fetch "$work.deb" "$package=$version"
		dpkg --fsys-tarfile "$work.deb"/*.deb |
			tar -xO --wildcards './usr/src/*.tar.xz' |
			tar -xJ -C "$work" --strip-components=1
		rm -r "$work.deb"
	fi
	for patch in "${PATCHES[@]}"; do
		# Skip a patch that the kernel already contains.
		patch -d "$work" -p1 -R -s -f --dry-run <"$patch" >/dev/null ||
			logged "$LOGS/patch.log" \
				patch -d "$work" -p1 --input="$patch"
	done
	touch "$work/.complete"
	mv "$work" "$src"
	unlock
}

# newest PATTERN: print the complete folder with the highest version, if any
newest() {
	local found
	# shellcheck disable=SC2086 # the pattern is to be expanded
	for found in $(compgen -G "$1" | sort -rV); do
		case $found in
		*.tmp*) continue ;;
		esac
		if [ -e "$found/.complete" ] || [ -e "$found/complete" ]; then
			echo "$found"
			return
		fi
	done
}

own_kernel() {
	local name=$1 arch=$2 image=$3 fragments patches=() version key
	local option log
	shift 3
	fragments=("${@/#/$CONFIGS/}")
	[ "$arch" != um ] || patches=("${PATCHES[@]}")
	key=$(cat "${fragments[@]}" "${patches[@]}" <(gcc -dumpfullversion) |
		sha256sum | cut -c1-8)

	# Use a cached kernel of any age, without access to the network.
	if [ -z "${KERNEL_SRC:-}" ]; then
		dir=$(newest "$CACHE/$name-[0-9]*-$key")
		[ -z "$dir" ] || return 0
	fi

	need_build_tools
	lock "$name"
	get_source
	version=$(basename "$src")
	version=${version#source-}
	version=${version%-*}
	dir=$CACHE/$name-$version-$key
	[ ! -e "$dir/complete" ] || return 0

	mkdir -p "$dir/kdir"
	cat "${fragments[@]}" >"$dir/fragment.config"
	local kmake=(make -C "$src" ARCH="$arch" O="$dir/kdir" -j"$JOBS"
		     KBUILD_BUILD_USER=memquota KBUILD_BUILD_HOST=memquota)

	step 2 4 "$name: configuring Linux $version"
	logged "$LOGS/$name-config.log" "${kmake[@]}" \
		KCONFIG_ALLCONFIG="$dir/fragment.config" allnoconfig
	grep -E '^CONFIG_' "$dir/fragment.config" | while read -r option; do
		case $option in
		*=n) ! grep -q "^${option%n}" "$dir/kdir/.config" ;;
		*) grep -qxF "$option" "$dir/kdir/.config" ;;
		esac || say "$name: Linux $version ignores $option"
	done

	log=$LOGS/$name-build.log
	step 3 4 "$name: building, some minutes (log: $log)"
	logged "$log" "${kmake[@]}"
	[ -s "$dir/kdir/Module.symvers" ] || die "$name: no Module.symvers"

	step 4 4 "$name: cleaning up"
	cp "$dir/kdir/$image" "$dir/image"
	ln -sfn "../${src##*/}" "$dir/source"
	# External modules need the host's programs, but no objects.
	find "$dir/kdir" -path "$dir/kdir/scripts" -prune -o \
		-path "$dir/kdir/tools" -prune -o \
		-type f \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) \
		-print0 | xargs -0 rm -f
	rm -f "$dir/kdir/linux" "$dir"/kdir/.tmp_vmlinux*
	touch "$dir/complete"
}

# --- herd7 ---

# Debian 12 has no herd7. Unpack sid's, with the libraries that it needs, which
# are newer than those of this machine.
unpack_herd7() {
	local work=$dir.tmp deb
	rm -rf "$work" "$dir"
	mkdir -p "$work/root"
	step 1 1 "herd7: downloading and unpacking, 40 MB"
	update_lists
	fetch "$work/packages" herdtools7/sid libc6/sid libgmp10/sid
	for deb in "$work"/packages/*.deb; do
		dpkg --fsys-tarfile "$deb" | tar -x -C "$work/root" \
			--exclude='./usr/share/doc' --exclude='./etc' \
			--exclude='./usr/bin/[!h]*' --exclude='./usr/lib/*/gconv'
	done
	rm -r "$work/packages"
	cat >"$work/herd7" <<'END'
#!/bin/sh
usr=$(dirname "$0")/root/usr
lib=$usr/lib/x86_64-linux-gnu
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$usr/bin/herd7" \
	-set-libdir "$usr/share/herdtools7/herd" "$@"
END
	chmod +x "$work/herd7"
	touch "$work/complete"
	mv "$work" "$dir"
}

# --- The header of QEMU's plugins ---

# No binary package has the header. It is the same in all revisions of an
# upstream version, so a revision that the archive has replaced does no harm.
unpack_plugin_header() {
	local work=$dir.tmp version
	rm -rf "$work" "$dir"
	mkdir -p "$work"
	deb_type=deb-src deb_suites="$(codename) $(codename)-backports"
	step 1 2 "qemu-plugin.h: reading lists of source packages"
	update_lists
	version=$(private_apt apt-cache showsrc --only-source qemu |
		awk -v v="$upstream-" '
			$1 == "Version:" && index($2, v) == 1 && !n++ { print $2 }')
	[ -n "$version" ] || die "the archive has no source of QEMU $upstream"
	step 2 2 "qemu-plugin.h: downloading QEMU's source $version"
	(cd "$work" && logged "$LOGS/fetch.log" private_apt apt-get source \
		--download-only --tar-only "qemu=$version")
	tar -xJf "$work"/qemu_*.orig.tar.xz -C "$work" --no-same-owner \
		--strip-components=3 --wildcards '*/include/qemu/qemu-plugin.h'
	rm "$work"/qemu_*
	touch "$work/complete"
	mv "$work" "$dir"
}

[ $# = 1 ] || usage
name=$1
case $name in
6.1 | 6.12 | 6.1-rt | 6.1-arm64)
	dir=$(newest "$CACHE/$name-[0-9]*")
	if [ -z "$dir" ]; then
		lock apt
		case $name in
		6.1) stock_kernel 6.1 bookworm amd64 ;;
		6.12) stock_kernel 6.12 bookworm-backports amd64 ;;
		6.1-rt) stock_kernel 6.1-rt bookworm rt-amd64 ;;
		6.1-arm64) stock_kernel 6.1-arm64 bookworm arm64 ;;
		esac
	fi
	;;
uml)
	own_kernel uml um linux common.config uml.config
	;;
uml-debug)
	own_kernel uml-debug um linux common.config uml.config debug.config
	;;
kcsan)
	own_kernel kcsan x86_64 arch/x86/boot/bzImage common.config kcsan.config
	;;
rt)
	own_kernel rt x86_64 arch/x86/boot/bzImage common.config rt.config
	;;
source)
	need_build_tools
	get_source
	dir=$src
	;;
herd7)
	dir=$CACHE/herd7
	if [ ! -e "$dir/complete" ]; then
		lock apt
		[ -e "$dir/complete" ] || unpack_herd7
	fi
	;;
qemu-plugin)
	need qemu-system-x86_64:qemu-system-x86
	# shellcheck disable=SC2016 # dpkg's variable, not the shell's
	upstream=$(dpkg-query -W -f '${source:Version}' qemu-system-x86)
	upstream=${upstream%-*}
	dir=$CACHE/qemu-plugin-${upstream#*:}
	if [ ! -e "$dir/complete" ]; then
		lock apt
		[ -e "$dir/complete" ] || unpack_plugin_header
	fi
	;;
*)
	usage
	;;
esac
echo "$dir"
