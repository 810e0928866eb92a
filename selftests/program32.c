// SPDX-License-Identifier: GPL-2.0
/* program.c by the ioctl of the 32-bit system calls. */
#define THROUGH_32_BITS
#include "program.c"
