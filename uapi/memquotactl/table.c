// SPDX-License-Identifier: GPL-2.0
/* Tables, trees and JSON, printed by libsmartcols. */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "memquotactl.h"

void view_init(struct view *view, const struct column *columns, int count)
{
	int i;

	memset(view, 0, sizeof(*view));
	view->columns = columns;
	view->count = count;
	for (i = 0; i < count; i++)
		if (columns[i].by_default)
			view->shown[view->nr_shown++] = i;
}

int find_column(const struct column *columns, int count, const char *name)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcasecmp(columns[i].name, name) ||
		    !strcasecmp(columns[i].key, name))
			return i;
	return -1;
}

static void view_choose_columns(struct view *view, const char *list)
{
	char *names = xstrdup(list), *rest = names, *name;
	int column;

	view->chosen = true;
	if (*rest == '+')
		rest++;
	else
		view->nr_shown = 0;
	while ((name = strsep(&rest, ","))) {
		column = find_column(view->columns, view->count, name);
		if (column < 0)
			die_usage("unknown column '%s'", name);
		view_add_column(view, column);
	}
	free(names);
}

/* Apply an option from VIEW_OPTIONS; return false if it is none. */
bool view_parse_option(struct view *view, int option, const char *argument)
{
	switch (option) {
	case 'J':
		view->json = true;
		return true;
	case 'B':
		view->exact = true;
		return true;
	case 'n':
		view->noheadings = true;
		return true;
	case 'o':
		view_choose_columns(view, argument);
		return true;
	default:
		return false;
	}
}

/* Return the position of @column from the left, or -1 if it is not shown. */
static int view_find_column(const struct view *view, int column)
{
	int i;

	for (i = 0; i < view->nr_shown; i++)
		if (view->shown[i] == column)
			return i;
	return -1;
}

bool view_has_column(const struct view *view, int column)
{
	return view_find_column(view, column) >= 0;
}

/* Append @column unless it is shown. */
void view_add_column(struct view *view, int column)
{
	if (!view_has_column(view, column))
		view->shown[view->nr_shown++] = column;
}

/* Show all columns in JSON unless --output chose some. */
void view_complete(struct view *view)
{
	int i;

	if (!view->json || view->chosen)
		return;
	for (i = 0; i < view->count; i++)
		view_add_column(view, i);
}

void print_columns_help(const struct column *columns, int count)
{
	int i;

	printf("\nColumns (* shown by default):\n");
	for (i = 0; i < count; i++)
		printf("  %-13s%c %s\n", columns[i].name,
		       columns[i].by_default ? '*' : ' ', columns[i].help);
}

static void table_add_column(struct libscols_table *table,
			     const struct view *view,
			     const struct column *column)
{
	static const int types[] = {
		[TEXT] = SCOLS_JSON_STRING,
		[NUMBER] = SCOLS_JSON_NUMBER,
		[BYTES] = SCOLS_JSON_NUMBER,
		[FLAG] = SCOLS_JSON_BOOLEAN,
		/* The text is a JSON array already: print it as it is. */
		[LIST] = SCOLS_JSON_NUMBER,
	};
	int flags = column->flags;
	struct libscols_column *cl;

	if (!view->tree)
		flags &= ~SCOLS_FL_TREE;
	if (column->type == NUMBER || column->type == BYTES)
		flags |= SCOLS_FL_RIGHT;
	cl = scols_table_new_column(table,
				    view->json ? column->key : column->name,
				    column->width, flags);
	if (!cl || scols_column_set_json_type(cl, types[column->type]))
		die_no_memory();
}

struct libscols_table *table_new(const struct view *view, const char *name)
{
	struct libscols_table *table;
	int i;

	scols_init_debug(0);
	table = scols_new_table();
	if (!table)
		die_no_memory();
	scols_table_set_name(table, name);
	scols_table_enable_json(table, view->json);
	scols_table_enable_noheadings(table, view->noheadings);
	scols_table_enable_colors(table, use_colors(stdout));
	for (i = 0; i < view->nr_shown; i++)
		table_add_column(table, view, &view->columns[view->shown[i]]);
	return table;
}

struct libscols_line *table_line(struct libscols_table *table,
				 struct libscols_line *parent)
{
	struct libscols_line *line = scols_table_new_line(table, parent);

	if (!line)
		die_no_memory();
	return line;
}

void cell_text(const struct view *view, struct libscols_line *line, int column,
	       const char *text)
{
	int position = view_find_column(view, column);

	if (position >= 0 && scols_line_set_data(line, position, text))
		die_no_memory();
}

/* Print MEMQUOTA_IOCTL_UNLIMITED, no number, as "-", in JSON as null. */
void cell_number(const struct view *view, struct libscols_line *line,
		 int column, uint64_t number)
{
	bool bytes = view->columns[column].type == BYTES;
	char text[SIZE_TEXT];

	if (view->json && number == MEMQUOTA_IOCTL_UNLIMITED)
		return;
	cell_text(view, line, column,
		  format_size(text, number,
			      !bytes || view->json || view->exact));
}

void cell_color(const struct view *view, struct libscols_line *line,
		int column, const char *color)
{
	int position = view_find_column(view, column);

	if (position >= 0)
		scols_cell_set_color(scols_line_get_cell(line, position),
				     color);
}

void table_print(struct libscols_table *table)
{
	if (scols_print_table(table))
		die(EXIT_FAILED, "write error: %s", strerror(errno));
	scols_unref_table(table);
}
