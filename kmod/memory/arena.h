/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_PRIVATE_ARENA_H
#define _MEMQUOTA_PRIVATE_ARENA_H

int memquota_arenas_init(void);
void memquota_arenas_exit(void);

#endif /* _MEMQUOTA_PRIVATE_ARENA_H */
