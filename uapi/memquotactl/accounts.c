// SPDX-License-Identifier: GPL-2.0
/* memquotactl accounts, show. */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include "memquotactl.h"

const struct column account_columns[ACCOUNT_COLUMNS] = {
	[ACCOUNT_NAME] = { "NAME", "name", TEXT, 0.1,
		SCOLS_FL_TREE | SCOLS_FL_TRUNC, true,
		"name of the account; 1/2: first of its two lines in the tree" },
	[ACCOUNT_ID] = { "ID", "id", NUMBER, 2, 0, true,
		"id of the account, never reused" },
	[ACCOUNT_TRACKER] = { "TRACKER", "tracker", TEXT, 0.1, SCOLS_FL_TRUNC,
		false, "tracker of the account (* without a TRACKER operand)" },
	[ACCOUNT_HELD] = { "HELD", "held", BYTES, 5, 0, true,
		"bytes held by its participants, without children" },
	[ACCOUNT_PEAK] = { "PEAK", "peak", BYTES, 5, 0, true,
		"highest HELD that was seen" },
	[ACCOUNT_MAX] = { "MAX", "max", BYTES, 5, 0, true,
		"hard limit of the account" },
	[ACCOUNT_REFUSED] = { "REFUSED", "refused", NUMBER, 3, 0, true,
		"charges refused by a hard limit" },
	[ACCOUNT_RECLAIMS] = { "RECLAIMS", "reclaims", NUMBER, 3, 0, true,
		"times its participants were asked to free" },
	[ACCOUNT_PARTS] = { "PARTS", "participants", NUMBER, 3, 0, true,
		"number of participants" },
	[ACCOUNT_CHILDREN] = { "CHILDREN", "nr_children", NUMBER, 3, 0, false,
		"number of open accounts reclaimed with it" },
	[ACCOUNT_PARENTS] = { "PARENTS", "parents", LIST, 3, 0, false,
		"ids of the accounts it is reclaimed with" },
	[ACCOUNT_AGAIN] = { "AGAIN", "again", FLAG, 1, 0, false,
		"1 if printed before, under another parent" },
};

/* Print deeper accounts as further trees, which begin at the left. */
#define MAX_DEPTH	32

typedef struct memquota_ioctl_account_list account_t;

/* An account in the tree. */
struct node {
	const account_t *account;
	struct edge *first, *last;	/* to its children, in printing order */
	unsigned int nr_positions;	/* parents to print it under */
	unsigned int shown;		/* parents printed under so far */
};

struct edge {
	struct node *child;
	struct edge *next;
	struct edge *next_deep;
};

/* Links deeper than MAX_DEPTH, in the order of their trees. */
struct edge_queue {
	struct edge *first, *last;
};

static void cell_parents(const struct view *view, struct libscols_line *line,
			 const account_t *a)
{
	char list[MEMQUOTA_IOCTL_PARENTS * 21 + 5] = "", *text;
	size_t len = 0;
	int i;

	for (i = 0; i < MEMQUOTA_IOCTL_PARENTS && a->out_parents[i]; i++)
		len += snprintf(list + len, sizeof(list) - len, "%s%" PRIu64,
				i ? "," : "", (uint64_t)a->out_parents[i]);
	if (a->out_nr_parents > MEMQUOTA_IOCTL_PARENTS && !view->json)
		snprintf(list + len, sizeof(list) - len, ",...");
	text = xasprintf(view->json ? "[%s]" : "%s", *list || view->json ? list :
		       "-");
	cell_text(view, line, ACCOUNT_PARENTS, text);
	free(text);
}

static struct libscols_line *account_add_line(const struct view *view,
					      struct libscols_table *table,
				      struct libscols_line *parent,
				      const account_t *a)
{
	struct libscols_line *line = table_line(table, parent);

	cell_text(view, line, ACCOUNT_NAME, a->out_name);
	cell_number(view, line, ACCOUNT_ID, a->out_id);
	cell_text(view, line, ACCOUNT_TRACKER, a->tracker);
	cell_number(view, line, ACCOUNT_HELD, a->out_held);
	cell_number(view, line, ACCOUNT_PEAK, a->out_peak);
	cell_number(view, line, ACCOUNT_MAX, a->out_max);
	cell_number(view, line, ACCOUNT_REFUSED, a->out_refused);
	cell_number(view, line, ACCOUNT_RECLAIMS, a->out_reclaims);
	cell_number(view, line, ACCOUNT_PARTS, a->out_participants);
	cell_number(view, line, ACCOUNT_CHILDREN, a->out_children);
	cell_parents(view, line, a);
	cell_text(view, line, ACCOUNT_AGAIN, "0");
	if (a->out_max != MEMQUOTA_IOCTL_UNLIMITED && a->out_refused)
		cell_color(view, line, ACCOUNT_REFUSED, "yellow");
	return line;
}

uint64_t account_value(const account_t *a, int column)
{
	switch (column) {
	case ACCOUNT_HELD:
		return a->out_held;
	case ACCOUNT_PEAK:
		return a->out_peak;
	case ACCOUNT_MAX:
		return a->out_max;
	case ACCOUNT_REFUSED:
		return a->out_refused;
	case ACCOUNT_RECLAIMS:
		return a->out_reclaims;
	case ACCOUNT_PARTS:
		return a->out_participants;
	case ACCOUNT_CHILDREN:
		return a->out_children;
	default:
		return 0;
	}
}

/* Sort by @column: numbers largest first, ids and names ascending. */
int compare_accounts(const account_t *a, const account_t *b, int column)
{
	uint64_t of_a = account_value(a, column);
	uint64_t of_b = account_value(b, column);
	int order = (of_a < of_b) - (of_a > of_b);

	if (column == ACCOUNT_NAME)
		order = strcmp(a->out_name, b->out_name);
	else if (column == ACCOUNT_TRACKER)
		order = strcmp(a->tracker, b->tracker);
	return order ? order : compare_account_ids(a, b);
}

static int compare_nodes(const void *left, const void *right, void *column)
{
	return compare_accounts(((const struct node *)left)->account,
				((const struct node *)right)->account,
				*(int *)column);
}

static int compare_nodes_by_id(const void *left, const void *right)
{
	const struct node *a = *(struct node * const *)left;
	const struct node *b = *(struct node * const *)right;

	return compare_account_ids(a->account, b->account);
}

static struct node *find_node(struct node **by_id, size_t count, uint64_t id)
{
	const account_t account = { .out_id = id };
	const struct node key = { .account = &account };
	const struct node *key_pointer = &key;
	struct node **found;

	found = bsearch(&key_pointer, by_id, count, sizeof(*by_id),
			compare_nodes_by_id);
	return found ? *found : NULL;
}

static void node_add_child(struct node *parent, struct node *child,
			   struct edge *edge)
{
	edge->child = child;
	edge->next = NULL;
	if (parent->last)
		parent->last->next = edge;
	else
		parent->first = edge;
	parent->last = edge;
	child->nr_positions++;
}

/* Link children to their parents, in the order of @nodes. */
static struct edge *link_all_nodes(struct node *nodes, size_t count)
{
	struct node **by_id = xrealloc(NULL, (count + 1) * sizeof(*by_id));
	struct edge *edges, *edge;
	struct node *parent;
	size_t i;
	int j;

	edges = xrealloc(NULL, (count + 1) * MEMQUOTA_IOCTL_PARENTS *
			 sizeof(*edges));
	edge = edges;
	for (i = 0; i < count; i++)
		by_id[i] = &nodes[i];
	qsort(by_id, count, sizeof(*by_id), compare_nodes_by_id);
	for (i = 0; i < count; i++) {
		const account_t *a = nodes[i].account;

		for (j = 0; j < MEMQUOTA_IOCTL_PARENTS; j++) {
			if (!a->out_parents[j])
				break;
			/* It may have been closed or created meanwhile. */
			parent = find_node(by_id, count, a->out_parents[j]);
			if (parent)
				node_add_child(parent, &nodes[i], edge++);
		}
	}
	free(by_id);
	return edges;
}

static void edge_queue_add(struct edge_queue *deep, struct edge *edge)
{
	edge->next_deep = NULL;
	if (deep->first)
		deep->last->next_deep = edge;
	else
		deep->first = edge;
	deep->last = edge;
}

static void cell_tree_name(const struct view *view, struct libscols_line *line,
			   const struct node *node, bool again_at_left)
{
	const char *dots = again_at_left ? "... " : "";
	char *name;

	if (view->json)
		return;
	if (node->nr_positions > 1)
		name = xasprintf("%s%s %u/%u", dots, node->account->out_name,
				 node->shown, node->nr_positions);
	else
		name = xasprintf("%s%s", dots, node->account->out_name);
	cell_text(view, line, ACCOUNT_NAME, name);
	free(name);
}

/*
 * Print the children of an account with several parents only once, so that
 * there are at most as many lines as links.
 */
static void tree_add_node(const struct view *view, struct libscols_table *table,
			  struct libscols_line *above, struct node *node,
		     unsigned int depth, struct edge_queue *deep)
{
	struct libscols_line *line;
	struct edge *edge;

	line = account_add_line(view, table, above, node->account);
	node->shown++;
	cell_tree_name(view, line, node, !above && node->nr_positions);
	if (node->shown > 1) {
		cell_text(view, line, ACCOUNT_AGAIN, "1");
		return;
	}
	for (edge = node->first; edge; edge = edge->next) {
		if (depth < MAX_DEPTH)
			tree_add_node(view, table, line, edge->child, depth + 1,
				      deep);
		else
			edge_queue_add(deep, edge);
	}
}

/* Add @node, which has no parents, and its descendants. */
static void tree_add_root(const struct view *view, struct libscols_table *table,
			  struct node *node)
{
	struct edge_queue deep = { 0 };
	struct edge *edge;

	tree_add_node(view, table, NULL, node, 0, &deep);
	/* tree_add_node() can append to the queue. */
	for (edge = deep.first; edge; edge = edge->next_deep)
		tree_add_node(view, table, NULL, edge->child, 0, &deep);
}

static void print_accounts(struct view *view, const struct accounts *accounts,
			   int sort)
{
	struct libscols_table *table = table_new(view, "accounts");
	struct node *nodes = xrealloc(NULL, (accounts->count + 1) *
				      sizeof(*nodes));
	struct edge *edges;
	size_t i;

	for (i = 0; i < accounts->count; i++)
		nodes[i] = (struct node){ .account = &accounts->list[i] };
	qsort_r(nodes, accounts->count, sizeof(*nodes), compare_nodes, &sort);
	edges = view->tree ? link_all_nodes(nodes, accounts->count) : NULL;
	for (i = 0; i < accounts->count; i++) {
		if (!view->tree)
			account_add_line(view, table, NULL, nodes[i].account);
		else if (!nodes[i].nr_positions)
			tree_add_root(view, table, &nodes[i]);
	}
	table_print(table);
	free(edges);
	free(nodes);
}

int parse_sort_column(const char *name)
{
	int column = find_column(account_columns, ACCOUNT_COLUMNS, name);

	if (column < 0)
		die_usage("unknown column '%s'", name);
	if (column == ACCOUNT_PARENTS || column == ACCOUNT_AGAIN)
		die_usage("column '%s': cannot sort by it", name);
	return column;
}

static int accounts_run(int argc, char **argv)
{
	static const struct option options[] = {
		VIEW_OPTIONS,
		{ "list", no_argument, NULL, 'l' },
		{ "sort", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct accounts accounts;
	int option, sort = ACCOUNT_ID;
	const char *tracker;
	struct view view;

	view_init(&view, account_columns, ACCOUNT_COLUMNS);
	view.tree = true;
	while ((option = next_option(&accounts_command, argc, argv,
				     "hlx:" VIEW_LETTERS, options)) != -1) {
		if (option == 'l')
			view.tree = false;
		else if (option == 'x')
			sort = parse_sort_column(optarg);
		else
			view_parse_option(&view, option, optarg);
	}
	tracker = parse_operand(argc, argv, NULL);
	if (!tracker && !view.chosen)
		view_add_column(&view, ACCOUNT_TRACKER);
	view_complete(&view);
	/* The tree is drawn in the column NAME. */
	if (!view_has_column(&view, ACCOUNT_NAME) && !view.json)
		view.tree = false;
	get_accounts(open_device(), tracker, &accounts);
	print_accounts(&view, &accounts, sort);
	free(accounts.list);
	return EXIT_DONE;
}

const struct command accounts_command = {
	.name = "accounts",
	.arguments = "[TRACKER] [OPTION]...",
	.summary = "List the accounts of one or all trackers as a tree",
	.options =
		"  -l, --list            print each account once, not as a tree\n"
		"  -x, --sort COLUMN     sort numbers largest first, names and ids ascending\n"
		VIEW_HELP,
	.notes =
		"Accounts more than 32 levels deep are printed at the left, after dots.\n",
	.columns = account_columns,
	.nr_columns = ACCOUNT_COLUMNS,
	.run = accounts_run,
};

/* Ids are unique among all trackers, so the tracker need not be known. */
static bool find_account(int device, uint64_t id, account_t *account)
{
	struct trackers trackers;
	bool found = false;
	size_t i;

	get_trackers(device, &trackers);
	for (i = 0; i < trackers.count && !found; i++)
		found = next_account(device, trackers.list[i].name, id - 1,
				     account) && account->out_id == id;
	free(trackers.list);
	return found;
}

static void print_account(const struct view *view, const account_t *a)
{
	struct libscols_table *table = table_new(view, "account");
	struct libscols_line *line = account_add_line(view, table, NULL, a);
	int i;

	if (view->json) {
		table_print(table);
		return;
	}
	for (i = 0; i < view->nr_shown; i++)
		printf("%-10s%s\n", account_columns[view->shown[i]].name,
		       scols_cell_get_data(scols_line_get_cell(line, i)));
	scols_unref_table(table);
}

static int show_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "bytes", no_argument, NULL, 'B' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	account_t account;
	struct view view;
	int option;
	uint64_t id;

	/* All columns but the last, AGAIN, which is about trees. */
	view_init(&view, account_columns, ACCOUNT_AGAIN);
	while ((option = next_option(&show_command, argc, argv, "Jh",
				     options)) != -1)
		view_parse_option(&view, option, optarg);
	id = parse_account_id(parse_operand(argc, argv, "an account id"));
	for (option = 0; option < ACCOUNT_AGAIN; option++)
		view_add_column(&view, option);
	if (!id || !find_account(open_device(), id, &account))
		die(EXIT_ABSENT,
		    "account %" PRIu64 ": not found: closed, or never created",
		    id);
	print_account(&view, &account);
	return EXIT_DONE;
}

const struct command show_command = {
	.name = "show",
	.arguments = "ID [OPTION]...",
	.summary = "Show one account",
	.options = JSON_HELP BYTES_HELP,
	.run = show_run,
};
