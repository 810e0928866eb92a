# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What is loaded before the shell opens.

dmesg -n 4
insmod /modules/memquota.ko
[ ! -e /modules/mqpipe.ko ] || insmod /modules/mqpipe.ko
lsmod
echo "Benchmarks and tests are in /modules. exit switches off."
