// SPDX-License-Identifier: GPL-2.0
/* Text that fits into the columns of a terminal. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "memquotactl.h"

/* Of the terminal that stdout is; 0 if it is none. */
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

/* @text, cut to @columns; what cannot be shown is a question mark. */
char *fit_text(const char *text, int columns)
{
	char *fitted = allocate(NULL, strlen(text) + 1), *end = fitted;
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
