/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The chunk that a bump is cut from: installed, retired, rewound.
 */
#ifndef _MEMQUOTA_BUMP_H
#define _MEMQUOTA_BUMP_H

#include "store.h"

void memquota_bump_install(struct memquota_store *store,
			   struct memquota_chunk *chunk);
void memquota_bump_retire(struct memquota_store *store);
void memquota_bump_reset(struct memquota_store *store);

#endif /* _MEMQUOTA_BUMP_H */
