#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build-tool.sh [MAKE-ARGUMENT...]: install what memquotactl needs, and build it
# in build/.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

need_compiler
need make:make /usr/include/libsmartcols/libsmartcols.h:libsmartcols-dev \
	/usr/include/ncurses.h:libncurses-dev
logged "$LOGS/tool.log" make -C "$TOP" --no-print-directory tool "$@"
