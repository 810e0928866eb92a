/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MQHTTP_H
#define _MQHTTP_H

#include <linux/sizes.h>
#include <linux/types.h>
#include <memquota/arena.h>

struct seq_file;

/* Bytes of a request that are looked at. */
#define MQHTTP_HEAD_MAX		SZ_16K

/* The longest method and the space behind it. */
#define MQHTTP_METHOD_MAX	8

enum mqhttp_kind {
	MQHTTP_PARAM,
	MQHTTP_HEADER,
	MQHTTP_COOKIE,
	MQHTTP_NR_KINDS
};

/* Three objects: itself and its strings, which are terminated. */
struct mqhttp_field {
	struct mqhttp_field *next;
	char *name;
	char *value;
};

struct mqhttp_request {
	char *text;
	char *method;
	char *path;
	struct mqhttp_field *fields[MQHTTP_NR_KINDS];	/* the last one first */
	unsigned int nr[MQHTTP_NR_KINDS];
	bool whole;
};

/* The allocator of a request's objects, and what was allocated. */
struct mqhttp_source {
	struct memquota_arena *arena;	/* NULL: kmalloc() */
	unsigned int objects;
	size_t bytes;
};

static inline unsigned int
mqhttp_nr_fields(const struct mqhttp_request *request)
{
	return request->nr[MQHTTP_PARAM] + request->nr[MQHTTP_HEADER] +
	       request->nr[MQHTTP_COOKIE];
}

/* mqhttp_parse.c */
struct mqhttp_request *mqhttp_new_request(struct mqhttp_source *source,
					  size_t len);
int mqhttp_parse(struct mqhttp_source *source, struct mqhttp_request *request,
		 size_t len);
void mqhttp_free_request(struct mqhttp_request *request);

/* mqhttp_history.c */
void mqhttp_add_history(const struct mqhttp_source *source,
			const struct mqhttp_request *request, size_t len);
size_t mqhttp_copy_last(char *text);
void mqhttp_show_history(struct seq_file *m);
int mqhttp_requests_show(struct seq_file *m, void *unused);
void mqhttp_destroy_history(void);

/* mqhttp_compare.c */
int mqhttp_compare_show(struct seq_file *m, void *unused);

#endif /* _MQHTTP_H */
