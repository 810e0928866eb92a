// SPDX-License-Identifier: GPL-2.0
/* Parse HTTP/1 requests into small objects. */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mqhttp.h"

/* Fields of all kinds that a request may have. */
#define PARSE_FIELDS_MAX	1024

/* A part of the text, not terminated. */
struct parse_span {
	const char *at;
	size_t len;
};

/* Return NULL on any error: the callers do not distinguish them. */
static __always_inline void *parse_alloc(struct mqhttp_source *source,
					 size_t size, size_t align)
{
	void *object;

	if (source->arena)
		object = memquota_arena_alloc(source->arena, size, align);
	else
		object = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (IS_ERR_OR_NULL(object))
		return NULL;
	source->objects++;
	source->bytes += size;
	return object;
}

static char *parse_copy_string(struct mqhttp_source *source,
			       struct parse_span from)
{
	char *string = parse_alloc(source, from.len + 1, 1);

	if (!string)
		return NULL;
	memcpy(string, from.at, from.len);
	string[from.len] = '\0';
	return string;
}

/* Allocate a request and @len bytes for its text; NULL, or without its text. */
struct mqhttp_request *mqhttp_new_request(struct mqhttp_source *source,
					  size_t len)
{
	struct mqhttp_request *request;

	request = parse_alloc(source, sizeof(*request), __alignof__(*request));
	if (!request)
		return NULL;
	*request = (struct mqhttp_request){
		.text = parse_alloc(source, len, 1),
	};
	return request;
}

/* Free a request from kmalloc(), object by object. An arena is reset instead. */
void mqhttp_free_request(struct mqhttp_request *request)
{
	struct mqhttp_field *field, *next;
	unsigned int kind;

	for (kind = 0; kind < MQHTTP_NR_KINDS; kind++) {
		for (field = request->fields[kind]; field; field = next) {
			next = field->next;
			kfree(field->name);
			kfree(field->value);
			kfree(field);
		}
	}
	kfree(request->path);
	kfree(request->method);
	kfree(request->text);
	kfree(request);
}

/*
 * Cut the piece before the next @separator, or everything if there is none.
 * Return false if @rest is empty.
 */
static bool parse_cut(struct parse_span *rest, char separator,
		      struct parse_span *piece)
{
	const char *end;

	if (!rest->len)
		return false;
	*piece = *rest;
	end = memchr(rest->at, separator, rest->len);
	if (end)
		piece->len = end++ - rest->at;
	else
		end = rest->at + rest->len;
	rest->len -= end - rest->at;
	rest->at = end;
	return true;
}

/* Cut a line that is complete, without its end. */
static bool parse_cut_line(struct parse_span *rest, struct parse_span *line)
{
	if (!memchr(rest->at, '\n', rest->len) || !parse_cut(rest, '\n', line))
		return false;
	if (line->len && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool parse_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct parse_span parse_trim_blanks(struct parse_span span)
{
	while (span.len && parse_is_blank(*span.at)) {
		span.at++;
		span.len--;
	}
	while (span.len && parse_is_blank(span.at[span.len - 1]))
		span.len--;
	return span;
}

/* Add a field; ignore one without a name. */
static int parse_add_field(struct mqhttp_source *source,
			   struct mqhttp_request *request,
			   enum mqhttp_kind kind, struct parse_span name,
			   struct parse_span value)
{
	struct mqhttp_field *field;

	if (!name.len)
		return 0;
	if (mqhttp_nr_fields(request) == PARSE_FIELDS_MAX)
		return -E2BIG;
	field = parse_alloc(source, sizeof(*field), __alignof__(*field));
	if (!field)
		return -ENOMEM;
	*field = (struct mqhttp_field){
		.next = request->fields[kind],
		.name = parse_copy_string(source, name),
		.value = parse_copy_string(source, value),
	};
	/* Even without a string, so that mqhttp_free_request() finds it. */
	request->fields[kind] = field;
	request->nr[kind]++;
	return field->name && field->value ? 0 : -ENOMEM;
}

/* Parse any number of NAME=VALUE. */
static int parse_pairs(struct mqhttp_source *source,
		       struct mqhttp_request *request, enum mqhttp_kind kind,
		       struct parse_span pairs, char separator)
{
	struct parse_span pair, name;
	int err;

	while (parse_cut(&pairs, separator, &pair)) {
		pair = parse_trim_blanks(pair);
		if (!parse_cut(&pair, '=', &name))
			continue;
		err = parse_add_field(source, request, kind, name, pair);
		if (err)
			return err;
	}
	return 0;
}

/* Parse METHOD TARGET HTTP/1.x. */
static int parse_first_line(struct mqhttp_source *source,
			    struct mqhttp_request *request,
			    struct parse_span line)
{
	struct parse_span method, target, path;

	if (!parse_cut(&line, ' ', &method) ||
	    method.len >= MQHTTP_METHOD_MAX ||
	    !parse_cut(&line, ' ', &target) ||
	    !parse_cut(&target, '?', &path) ||
	    line.len != strlen("HTTP/1.x") ||
	    memcmp(line.at, "HTTP/1.", strlen("HTTP/1.")))
		return -EINVAL;
	request->method = parse_copy_string(source, method);
	request->path = parse_copy_string(source, path);
	if (!request->method || !request->path)
		return -ENOMEM;
	return parse_pairs(source, request, MQHTTP_PARAM, target, '&');
}

static int parse_header(struct mqhttp_source *source,
			struct mqhttp_request *request, struct parse_span line)
{
	struct parse_span name;
	int err;

	if (!memchr(line.at, ':', line.len) || !parse_cut(&line, ':', &name))
		return 0;
	line = parse_trim_blanks(line);
	err = parse_add_field(source, request, MQHTTP_HEADER, name, line);
	if (err || name.len != strlen("cookie") ||
	    strncasecmp(name.at, "cookie", name.len))
		return err;
	return parse_pairs(source, request, MQHTTP_COOKIE, line, ';');
}

/*
 * Parse the first @len bytes of the request's text. The text is untrusted; its
 * length, at most MQHTTP_HEAD_MAX, and PARSE_FIELDS_MAX limit work and memory.
 *
 * Return 0, -EINVAL if it is not a request, -E2BIG if it has too many fields,
 * or -ENOMEM.
 */
int mqhttp_parse(struct mqhttp_source *source, struct mqhttp_request *request,
		 size_t len)
{
	struct parse_span rest = { request->text, len }, line;
	int err;

	if (!parse_cut_line(&rest, &line))
		return -EINVAL;
	err = parse_first_line(source, request, line);
	while (!err && parse_cut_line(&rest, &line)) {
		if (!line.len) {
			request->whole = true;
			return 0;
		}
		err = parse_header(source, request, line);
	}
	return err;
}
