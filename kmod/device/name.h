/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_NAME_H
#define _MEMQUOTA_NAME_H

#include <linux/types.h>

bool memquota_name_valid(const char *name, size_t size);

#endif /* _MEMQUOTA_NAME_H */
