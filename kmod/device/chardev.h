/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_CHARDEV_H
#define _MEMQUOTA_CHARDEV_H

int memquota_chardev_init(void);
void memquota_chardev_exit(void);

#endif /* _MEMQUOTA_CHARDEV_H */
