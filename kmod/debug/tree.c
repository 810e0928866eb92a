// SPDX-License-Identifier: GPL-2.0
/*
 * The accounts of a tracker as a tree.
 *
 * First copy the graph: accounts by id, one at a time, and the parents of each.
 * Copying one account locks out adding parents, and nothing else. Then compute
 * the tree from the copy. The numbers in a line are read when it is printed.
 *
 * Accounts that are created or freed meanwhile may be missing. Links change,
 * too, so the copy need not equal the graph at any one time, and could even
 * have a circle. Each account of the copy is in the tree all the same.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include "../core/account.h"
#include "../core/callback.h"
#include "../core/core.h"
#include "../core/graph.h"
#include "../core/record.h"
#include "tree.h"

#define NO_NODE		U32_MAX

/* One reader at a time refers to records. */
static DEFINE_MUTEX(view_lock);

/* Steps between two calls of cond_resched(). */
#define RESCHED_STEPS	1024

struct node {
	u64 id;
	u32 nr_parents;
	u32 next;	/* in children: the first not yet listed */
	u32 end;	/* in children: behind its last */
	u32 up;		/* node below which it was listed first */
	bool listed;
};

struct edge {
	u64 parent;	/* id; tree_sort_children() makes it an index */
	u32 child;	/* index */
};

/*
 * A copy of the account graph. Nodes are sorted by id, edges by child, children
 * by parent and then by id.
 */
struct graph {
	struct node *nodes;
	struct edge *edges;
	u32 *children;
	size_t nr_nodes;
	size_t nr_edges;
	size_t room_nodes;
	size_t room_edges;
};

/* Make room for element @nr of an array. */
static int tree_reserve(void **array, size_t *room, size_t nr, size_t size)
{
	size_t more = max_t(size_t, 64, 2 * *room);
	void *bigger;

	if (nr < *room)
		return 0;
	if (more >= NO_NODE)
		return -EFBIG;
	bigger = kvmalloc_array(more, size, GFP_KERNEL);
	if (!bigger)
		return -ENOMEM;
	if (nr)
		memcpy(bigger, *array, nr * size);
	kvfree(*array);
	*array = bigger;
	*room = more;
	return 0;
}

/* Copy a link from the newest node to its parent. */
static int tree_copy_parent(struct memquota_account *parent, void *arg)
{
	struct graph *g = arg;
	int err;

	err = tree_reserve((void **)&g->edges, &g->room_edges, g->nr_edges,
			   sizeof(*g->edges));
	if (!err)
		g->edges[g->nr_edges++] = (struct edge){
			.parent = parent->id, .child = g->nr_nodes - 1 };
	return err;
}

/* Copy all accounts and links. */
static int tree_copy_graph(struct graph *g, struct memquota_tracker *t)
{
	struct memquota_account *a;
	int err = 0;
	u64 id = 0;

	while (!err && (a = memquota_account_next(t, id))) {
		id = a->id + 1;
		err = tree_reserve((void **)&g->nodes, &g->room_nodes,
				   g->nr_nodes, sizeof(*g->nodes));
		if (!err) {
			g->nodes[g->nr_nodes++] = (struct node){ .id = a->id };
			err = memquota_walk_parents(a, tree_copy_parent, g);
		}
		memquota_account_unref(a);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

static u32 tree_index_of(const struct graph *g, u64 id)
{
	size_t low = 0, high = g->nr_nodes, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (g->nodes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->nr_nodes && g->nodes[low].id == id ? low : NO_NODE;
}

/* Sort the edges into @children by parent. */
static int tree_sort_children(struct graph *g)
{
	struct edge *edge;
	struct node *node;
	u32 sum = 0, own;

	g->children = kvmalloc_array(max_t(size_t, g->nr_edges, 1),
				     sizeof(*g->children), GFP_KERNEL);
	if (!g->children)
		return -ENOMEM;
	for (edge = g->edges; edge < g->edges + g->nr_edges; edge++) {
		edge->parent = tree_index_of(g, edge->parent);
		if (edge->parent == NO_NODE)
			continue;
		g->nodes[edge->parent].end++;
		g->nodes[edge->child].nr_parents++;
		cond_resched();
	}
	for (node = g->nodes; node < g->nodes + g->nr_nodes; node++) {
		own = node->end;
		node->next = sum;
		node->end = sum;
		sum += own;
		if (!((node - g->nodes) % RESCHED_STEPS))
			cond_resched();
	}
	for (edge = g->edges; edge < g->edges + g->nr_edges; edge++) {
		if (edge->parent != NO_NODE)
			g->children[g->nodes[edge->parent].end++] = edge->child;
		if (!((edge - g->edges) % RESCHED_STEPS))
			cond_resched();
	}
	return 0;
}

/* Append a line. Return whether it is the first one of @node. */
static bool tree_add_line(struct memquota_tree *tree, struct node *node,
			  u32 depth)
{
	bool first = !node->listed;

	tree->lines[tree->nr_lines++] = (struct memquota_tree_line){
		.id = node->id,
		.depth = depth,
		.place = !first ? MEMQUOTA_AGAIN :
			 node->nr_parents > 1 ? MEMQUOTA_FIRST : MEMQUOTA_ONCE,
	};
	node->listed = true;
	if (!(tree->nr_lines % RESCHED_STEPS))
		cond_resched();
	return first;
}

/* Append @root and all nodes below it. */
static void tree_add_below(struct graph *g, u32 root,
			   struct memquota_tree *tree)
{
	u32 at = root, child, depth = 0;
	struct node *node;

	g->nodes[root].up = NO_NODE;
	tree_add_line(tree, &g->nodes[root], 0);
	while (at != NO_NODE) {
		node = &g->nodes[at];
		if (node->next == node->end) {
			at = node->up;
			depth--;
			continue;
		}
		child = g->children[node->next++];
		if (tree_add_line(tree, &g->nodes[child], depth + 1)) {
			g->nodes[child].up = at;
			at = child;
			depth++;
		}
	}
}

/**
 * memquota_tree_build - list the accounts of a tracker as a tree
 * @t: the tracker
 * @tree: the list; pass it to memquota_tree_free(), after an error too
 *
 * An account is listed below each of its parents, its children only below the
 * first of these lines. So there are at most as many lines as accounts and
 * links together, whatever the shape of the graph.
 *
 * Context: may sleep.
 *
 * Return:
 * * 0 - listed
 * * %-ENOMEM - out of memory
 * * %-EFBIG - there are too many accounts to list
 * * %-EINTR - a fatal signal is pending
 */
int memquota_tree_build(struct memquota_tracker *t, struct memquota_tree *tree)
{
	struct graph g = {};
	size_t i;
	int err;

	*tree = (struct memquota_tree){};
	err = tree_copy_graph(&g, t);
	if (!err)
		err = tree_sort_children(&g);
	if (err)
		goto out;
	tree->lines = kvmalloc_array(max_t(size_t, g.nr_nodes + g.nr_edges, 1),
				     sizeof(*tree->lines), GFP_KERNEL);
	if (!tree->lines) {
		err = -ENOMEM;
		goto out;
	}
	for (i = 0; i < g.nr_nodes; i++)
		if (!g.nodes[i].nr_parents)
			tree_add_below(&g, i, tree);
	for (i = 0; i < g.nr_nodes; i++)
		if (!g.nodes[i].listed)
			tree_add_below(&g, i, tree);
out:
	kvfree(g.nodes);
	kvfree(g.edges);
	kvfree(g.children);
	return err;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tree_build);

void memquota_tree_free(struct memquota_tree *tree)
{
	kvfree(tree->lines);
	*tree = (struct memquota_tree){};
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tree_free);

/* Return when a record's oldest data arrived, or MEMQUOTA_NO_DATA. */
static u64 tree_record_arrival_ns(struct memquota_record *r)
{
	unsigned long flags = READ_ONCE(r->flags);
	u64 ns = MEMQUOTA_NO_DATA;

	/* No callback may run before the second step of joining. */
	if (!memquota_record_used(r) || !READ_ONCE(r->active))
		return MEMQUOTA_NO_DATA;
	if (!(flags & RECORD_SAYS_OLDEST))
		return memquota_record_arrival(r);
	memquota_callbacks_begin();
	if (!memquota_call_oldest(r, &ns))
		ns = MEMQUOTA_NO_DATA;
	memquota_callbacks_end();
	return ns;
}

/*
 * Return the age of an account's oldest data, or MEMQUOTA_NO_DATA. Readers take
 * turns, because the references to a record have few bits in its word: all
 * readers together hold one at a time.
 */
static u64 tree_account_age_ns(struct memquota_account *a)
{
	struct memquota_record *r = NULL;
	u64 oldest = MEMQUOTA_NO_DATA, now;
	u32 n;

	mutex_lock(&view_lock);
	for (n = READ_ONCE(a->nr_records); n; n--) {
		r = memquota_next_record(a, r);
		if (!r)
			break;
		oldest = min(oldest, tree_record_arrival_ns(r));
		cond_resched();
	}
	if (r)
		memquota_record_unref(r);
	mutex_unlock(&view_lock);
	if (oldest == MEMQUOTA_NO_DATA)
		return MEMQUOTA_NO_DATA;
	now = ktime_get_coarse_ns();
	return now - min(now, oldest);
}

/**
 * memquota_view_account - read what debugfs shows of an account
 * @a: the account; the caller has a reference
 * @view: the answer
 *
 * Asks the account's participants how old their data is. If participants join
 * or leave meanwhile, some of them may not be asked.
 *
 * Context: may sleep; the caller holds no lock that an atomic callback takes.
 */
void memquota_view_account(struct memquota_account *a,
			   struct memquota_account_view *view)
{
	u64 age = tree_account_age_ns(a);

	memquota_account_usage(a, &view->usage);
	view->age_ns = view->usage.closed ? MEMQUOTA_NO_DATA : age;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_view_account);
