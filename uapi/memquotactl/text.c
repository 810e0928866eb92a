// SPDX-License-Identifier: GPL-2.0
/* Text for terminals: width, truncation, unprintable bytes. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "memquotactl.h"

/* Return the width of the terminal on stdout, or 0 if it is none. */
int terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col ? size.ws_col : 80;
}

int text_columns(const char *text)
{
	mbstate_t state = { 0 };
	int columns = 0, width;
	wchar_t c;
	size_t len;

	while (*text) {
		len = mbrtowc(&c, text, MB_CUR_MAX, &state);
		width = len <= MB_CUR_MAX ? wcwidth(c) : -1;
		columns += width < 0 ? 1 : width;
		text += len <= MB_CUR_MAX ? len : 1;
		if (len > MB_CUR_MAX)
			memset(&state, 0, sizeof(state));
	}
	return columns;
}

/* Return @text cut to @columns, unprintable characters as '?'. Free it. */
char *fit_text(const char *text, int columns)
{
	char *fitted = xrealloc(NULL, strlen(text) + 1), *end = fitted;
	mbstate_t state = { 0 };
	wchar_t c;
	size_t len;
	int width;

	while (*text) {
		len = mbrtowc(&c, text, MB_CUR_MAX, &state);
		width = len <= MB_CUR_MAX ? wcwidth(c) : -1;
		if (len > MB_CUR_MAX) {
			memset(&state, 0, sizeof(state));
			len = 1;
		}
		columns -= width < 0 ? 1 : width;
		if (columns < 0)
			break;
		if (width < 0)
			*end++ = '?';
		else
			end = mempcpy(end, text, len);
		text += len;
	}
	*end = '\0';
	return fitted;
}

/* Return the length of the printable UTF-8 character at @s, or 0. */
static size_t utf8_char_bytes(const unsigned char *s)
{
	static const uint32_t lowest[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	size_t len, i;
	uint32_t c;

	if (*s < 0x80)
		return *s >= ' ' && *s < 0x7f;
	if (*s < 0xc0 || *s >= 0xf8)
		return 0;
	len = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	c = *s & (0x7f >> len);
	for (i = 1; i < len; i++) {
		/* The terminating NUL is no continuation byte either. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < lowest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return len;
}

/*
 * Replace each byte of @text that is not printable UTF-8 by a question mark.
 * The kernel validates names from programs. Those from kernel modules can have
 * any bytes or be cut within a character, which JSON and metrics must not have.
 */
void clean_text(char *text)
{
	size_t len;

	while (*text) {
		len = utf8_char_bytes((unsigned char *)text);
		if (!len)
			*text = '?';
		text += len ? len : 1;
	}
}
