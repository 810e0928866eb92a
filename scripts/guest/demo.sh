# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Streams what is in /files through mqpipes, under a quota; see mqpipe_demo.c.

insmod /modules/memquota.ko high=24M low_water=18M max=32M || exit 1
insmod /modules/mqpipe.ko || exit 1
mqpipe_demo 32 5 /out /files/*
status=$?
if ! rmmod mqpipe || ! rmmod memquota; then
	echo "demo: the modules do not unload"
	status=1
fi
exit $status
