/* SPDX-License-Identifier: GPL-2.0 */
/* The record cache of all range allocators, for module init and exit. */
#ifndef _MEMQUOTA_PRIVATE_RANGE_H
#define _MEMQUOTA_PRIVATE_RANGE_H

int memquota_ranges_init(void);
void memquota_ranges_exit(void);

#endif /* _MEMQUOTA_PRIVATE_RANGE_H */
