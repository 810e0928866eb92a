/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_DEBUGFS_H
#define _MEMQUOTA_DEBUGFS_H

struct memquota_tracker;

void memquota_debugfs_init(void);
void memquota_debugfs_exit(void);
void memquota_debugfs_add(struct memquota_tracker *t);
void memquota_debugfs_remove(struct memquota_tracker *t);

#endif /* _MEMQUOTA_DEBUGFS_H */
