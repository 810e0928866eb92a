// SPDX-License-Identifier: GPL-2.0
/*
 * Check the names that programs choose, since logs and terminals show them.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include "name.h"

/*
 * Decode the UTF-8 character at @s. Return how many bytes it has, 0 if it is
 * invalid.
 */
static unsigned int utf8_decode(const unsigned char *s, u32 *c)
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
		/* The terminating zero is no continuation byte either. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < lowest[n] ? 0 : n;
}

static bool utf8_printable(u32 c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) &&
	       /* line separators, embeddings, overrides and isolates */
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
	       c != 0x200e && c != 0x200f && c != 0x61c && c != 0xfeff &&
	       !(c >= 0xd800 && c < 0xe000) && c <= 0x10ffff;
}

/*
 * Return whether @name, in a field of @size bytes, is a name as defined in
 * <linux/memquota.h>.
 */
bool memquota_name_valid(const char *name, size_t size)
{
	const unsigned char *s = (const unsigned char *)name;
	unsigned int n;
	u32 c;

	if (!*s || strnlen(name, size) == size)
		return false;
	for (; *s; s += n) {
		n = utf8_decode(s, &c);
		if (!n || !utf8_printable(c))
			return false;
	}
	return true;
}
