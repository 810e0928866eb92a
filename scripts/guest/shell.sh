# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Load the modules before the shell opens.

dmesg -n 4
insmod /modules/memquota.ko
for sample in mqpipe mqhttp; do
	[ ! -e /modules/$sample.ko ] || insmod /modules/$sample.ko
done
lsmod
echo "All modules are in /modules. Type exit to power off."
