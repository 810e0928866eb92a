# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Stream /files through pipes of mqpipe under a quota; see mqpipe_demo.c.

insmod /modules/memquota.ko high=24M low_water=18M max=32M || exit 1
insmod /modules/mqpipe.ko || exit 1
mqpipe_demo 32 5 /out /files/*
status=$?
if ! rmmod mqpipe || ! rmmod memquota; then
	echo "demo: unloading the modules failed"
	status=1
fi
exit $status
