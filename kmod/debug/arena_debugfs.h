/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_ARENA_DEBUGFS_H
#define _MEMQUOTA_ARENA_DEBUGFS_H

struct dentry;
struct memquota_account;
struct memquota_arena_core;

struct memquota_account *
memquota_arena_account(const struct memquota_arena_core *core);
void memquota_arena_debugfs_init(struct dentry *root);

#endif /* _MEMQUOTA_ARENA_DEBUGFS_H */
