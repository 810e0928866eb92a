// SPDX-License-Identifier: GPL-2.0
/* The definitions of the chunks' tracepoints. */
#define CREATE_TRACE_POINTS
#include "trace.h"
