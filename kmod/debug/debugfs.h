/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_DEBUGFS_H
#define _MEMQUOTA_DEBUGFS_H

#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

struct memquota_tracker;

/*
 * Print a name as one word, which is never empty. Inline, so that the files
 * which debugfs.c calls need nothing of it.
 */
static inline void memquota_debugfs_show_name(struct seq_file *m,
					      const char *name)
{
	if (*name)
		seq_escape_mem(m, name, strlen(name), ESCAPE_NAP | ESCAPE_OCTAL |
			       ESCAPE_APPEND, " \\");
	else
		seq_putc(m, '-');
}

void memquota_debugfs_init(void);
void memquota_debugfs_exit(void);

#endif /* _MEMQUOTA_DEBUGFS_H */
