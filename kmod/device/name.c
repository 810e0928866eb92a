// SPDX-License-Identifier: GPL-2.0
/*
 * Names that programs give: they end up in logs and on terminals.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include "chardev.h"

/* A character of UTF-8, and how many bytes it has; 0 if it is none. */
static unsigned int decode(const unsigned char *s, u32 *c)
{
	static const u32 lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int n, i;

	if (*s < 0x80) {
		*c = *s;
		return 1;
	}
	n = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	if (*s < 0xc0 || *s >= 0xf8)
		return 0;
	*c = *s & GENMASK(6 - n, 0);
	for (i = 1; i < n; i++) {
		/* The zero at the end stops it, too. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < lowest[n] ? 0 : n;
}

static bool printable(u32 c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) &&
	       /* line separators, embeddings, overrides and isolates */
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
	       c != 0x200e && c != 0x200f && c != 0x61c && c != 0xfeff &&
	       !(c >= 0xd800 && c < 0xe000) && c <= 0x10ffff;
}

/* Whether @name, of up to @size bytes, is what the header calls a name. */
bool memquota_name_valid(const char *name, size_t size)
{
	const unsigned char *s = (const unsigned char *)name;
	unsigned int n;
	u32 c;

	if (!*s || strnlen(name, size) == size)
		return false;
	for (; *s; s += n) {
		n = decode(s, &c);
		if (!n || !printable(c))
			return false;
	}
	return true;
}
