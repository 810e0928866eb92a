// SPDX-License-Identifier: GPL-2.0
/*
 * The accounts of a tracker as a tree, and what is said of each.
 *
 * The tree's shape is noted first: accounts by id, one at a time, and their
 * parents, one at a time; nothing is locked meanwhile but by who adds parents.
 * All else is worked out on the notes. What a line says of its account is
 * looked at when the line is printed.
 *
 * Accounts that come and go meanwhile may be missing. Since links come and go,
 * too, the notes need not be the graph of any one moment, and could even have a
 * circle; each account is in the tree all the same.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include "../core/core.h"
#include "tree.h"

#define NOBODY		U32_MAX

/* Steps between two offers to let others run. */
#define STEPS		1024

struct node {
	u64 id;
	u32 nr_parents;
	u32 next;	/* in children: the first that was not listed */
	u32 end;	/* of its part of children */
	u32 up;		/* from which it was first come to */
	bool listed;
};

struct edge {
	u64 parent;	/* id, then index */
	u32 child;	/* index */
};

/* Nodes are in the order of their ids, edges and children in that of nodes. */
struct notes {
	struct node *nodes;
	struct edge *edges;
	u32 *children;
	size_t nr_nodes;
	size_t nr_edges;
	size_t room_nodes;
	size_t room_edges;
};

static int make_room(void **array, size_t *room, size_t nr, size_t size)
{
	size_t more = max_t(size_t, 64, 2 * *room);
	void *bigger;

	if (nr < *room)
		return 0;
	if (more >= NOBODY)
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

/* A parent of the newest node. */
static int note_parent(struct memquota_account *parent, void *arg)
{
	struct notes *n = arg;
	int err;

	err = make_room((void **)&n->edges, &n->room_edges, n->nr_edges,
			sizeof(*n->edges));
	if (!err)
		n->edges[n->nr_edges++] = (struct edge){
			.parent = parent->id, .child = n->nr_nodes - 1 };
	return err;
}

static int note_all(struct notes *n, struct memquota_tracker *t)
{
	struct memquota_account *a;
	int err = 0;
	u64 id = 0;

	while (!err && (a = memquota_account_next(t, id))) {
		id = a->id + 1;
		err = make_room((void **)&n->nodes, &n->room_nodes,
				n->nr_nodes, sizeof(*n->nodes));
		if (!err) {
			n->nodes[n->nr_nodes++] = (struct node){ .id = a->id };
			err = memquota_walk_parents(a, note_parent, n);
		}
		memquota_account_unref(a);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

static u32 index_of(const struct notes *n, u64 id)
{
	size_t low = 0, high = n->nr_nodes, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (n->nodes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n->nr_nodes && n->nodes[low].id == id ? low : NOBODY;
}

/* Edges become each node's part of the children, in the order of their ids. */
static int connect(struct notes *n)
{
	struct edge *edge;
	struct node *node;
	u32 sum = 0, own;

	n->children = kvmalloc_array(max_t(size_t, n->nr_edges, 1),
				     sizeof(*n->children), GFP_KERNEL);
	if (!n->children)
		return -ENOMEM;
	for (edge = n->edges; edge < n->edges + n->nr_edges; edge++) {
		edge->parent = index_of(n, edge->parent);
		if (edge->parent == NOBODY)
			continue;
		n->nodes[edge->parent].end++;
		n->nodes[edge->child].nr_parents++;
		cond_resched();
	}
	for (node = n->nodes; node < n->nodes + n->nr_nodes; node++) {
		own = node->end;
		node->next = sum;
		node->end = sum;
		sum += own;
		if (!((node - n->nodes) % STEPS))
			cond_resched();
	}
	for (edge = n->edges; edge < n->edges + n->nr_edges; edge++) {
		if (edge->parent != NOBODY)
			n->children[n->nodes[edge->parent].end++] = edge->child;
		if (!((edge - n->edges) % STEPS))
			cond_resched();
	}
	return 0;
}

/* Returns whether it is the first time. */
static bool add_line(struct memquota_tree *tree, struct node *node, u32 depth)
{
	bool first = !node->listed;

	tree->lines[tree->nr_lines++] = (struct memquota_tree_line){
		.id = node->id,
		.depth = depth,
		.place = !first ? MEMQUOTA_AGAIN :
			 node->nr_parents > 1 ? MEMQUOTA_FIRST : MEMQUOTA_ONCE,
	};
	node->listed = true;
	if (!(tree->nr_lines % STEPS))
		cond_resched();
	return first;
}

static void list_from(struct notes *n, u32 root, struct memquota_tree *tree)
{
	u32 at = root, child, depth = 0;
	struct node *node;

	n->nodes[root].up = NOBODY;
	add_line(tree, &n->nodes[root], 0);
	while (at != NOBODY) {
		node = &n->nodes[at];
		if (node->next == node->end) {
			at = node->up;
			depth--;
			continue;
		}
		child = n->children[node->next++];
		if (add_line(tree, &n->nodes[child], depth + 1)) {
			n->nodes[child].up = at;
			at = child;
			depth++;
		}
	}
}

/**
 * memquota_tree_build - note how the accounts of a tracker are linked
 * @t: the tracker
 * @tree: where to; to be given to memquota_tree_free() also if it fails
 *
 * An account is below each of its parents; what is below it, at the first of
 * these places. The length is that of accounts and links together, whatever
 * the graph.
 *
 * Context: may sleep.
 *
 * Return: 0, or
 * -ENOMEM: out of memory;
 * -EFBIG: there are too many accounts to be listed;
 * -EINTR: a fatal signal came.
 */
int memquota_tree_build(struct memquota_tracker *t, struct memquota_tree *tree)
{
	struct notes n = {};
	size_t i;
	int err;

	*tree = (struct memquota_tree){};
	err = note_all(&n, t);
	if (!err)
		err = connect(&n);
	if (err)
		goto out;
	tree->lines = kvmalloc_array(max_t(size_t, n.nr_nodes + n.nr_edges, 1),
				     sizeof(*tree->lines), GFP_KERNEL);
	if (!tree->lines) {
		err = -ENOMEM;
		goto out;
	}
	for (i = 0; i < n.nr_nodes; i++)
		if (!n.nodes[i].nr_parents)
			list_from(&n, i, tree);
	for (i = 0; i < n.nr_nodes; i++)
		if (!n.nodes[i].listed)
			list_from(&n, i, tree);
out:
	kvfree(n.nodes);
	kvfree(n.edges);
	kvfree(n.children);
	return err;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tree_build);

void memquota_tree_free(struct memquota_tree *tree)
{
	kvfree(tree->lines);
	*tree = (struct memquota_tree){};
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tree_free);

/* When a record's oldest data arrived, if there is some. */
static u64 arrival_of(struct memquota_record *r)
{
	unsigned long flags = READ_ONCE(r->flags);
	u64 ns = MEMQUOTA_NO_DATA;

	/* P2: no callback before the second step. */
	if (!memquota_record_used(r) || !READ_ONCE(r->active))
		return MEMQUOTA_NO_DATA;
	if (!(flags & RECORD_SAYS_OLDEST))
		return READ_ONCE(r->arrival_ns);
	memquota_callbacks_begin();
	if (!memquota_call_oldest(r, &ns))
		ns = MEMQUOTA_NO_DATA;
	memquota_callbacks_end();
	return ns;
}

static u64 age_of(struct memquota_account *a)
{
	struct memquota_record *r = NULL;
	u64 oldest = MEMQUOTA_NO_DATA, now;
	u32 n;

	for (n = READ_ONCE(a->nr_records); n; n--) {
		r = memquota_next_record(a, r);
		if (!r)
			break;
		oldest = min(oldest, arrival_of(r));
		cond_resched();
	}
	if (r)
		memquota_record_unref(r);
	if (oldest == MEMQUOTA_NO_DATA)
		return MEMQUOTA_NO_DATA;
	now = ktime_get_coarse_ns();
	return now - min(now, oldest);
}

/**
 * memquota_view_account - what is to be said of an account
 * @a: the account; its memory is kept by the caller
 * @view: where to say it
 *
 * Asks its participants how old their data is. The age is that of some of them
 * if they join and leave meanwhile.
 *
 * Context: may sleep; no lock is held that an atomic callback takes.
 */
void memquota_view_account(struct memquota_account *a,
			   struct memquota_account_view *view)
{
	u64 age = age_of(a);

	memquota_account_usage(a, &view->usage);
	view->age_ns = view->usage.closed ? MEMQUOTA_NO_DATA : age;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_view_account);
