// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU that counts instructions and cache lines between the marks
 * of kmod/bench/marks.h, on x86:
 *
 *	qemu-system-x86_64 -plugin cachelines.so,out=FILE[,l1_kib=48]
 *		[,l1_ways=12][,l2_kib=2048][,l2_ways=16]
 *
 * For each section between BENCH_MARK_BEGIN and BENCH_MARK_END it appends a
 * line to FILE:
 *
 *	cpu instructions locked operations lines l1_misses l2_misses
 *
 * A line counts all that the CPU did in the section, interrupts included.
 * "locked" counts instructions with a lock prefix, and exchanges with memory,
 * which lock without one. "operations" counts BENCH_MARK_OPERATION. "lines" is
 * a sum over the operations: the distinct lines of 64 bytes that each read or
 * wrote.
 *
 * The caches are those of data, by physical address, and replace the least
 * recently used line of a set. They see only what sections access, and keep it
 * from section to section until BENCH_MARK_COLD empties them. A CPU's caches do
 * not see what other CPUs write.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <qemu-plugin.h>

#include "../kmod/bench/marks.h"

#define LINE_SHIFT	6
#define SET_SHIFT	16
#define SET_SIZE	65536

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct cache {
	uint64_t *lines;	/* of each set, the most recently used first */
	unsigned long long misses;
};

struct geometry {
	unsigned int sets;
	unsigned int ways;
};

/* The lines of an operation: a hash table that a new generation empties. */
struct line_set {
	struct {
		uint64_t line;
		uint64_t generation;
	} slots[SET_SIZE];
	uint64_t generation;
	unsigned int count;
};

struct cpu {
	bool counting;
	unsigned long long instructions;
	unsigned long long locked;
	unsigned long long operations;
	unsigned long long lines;
	struct cache l1;
	struct cache l2;
	struct line_set set;
};

static struct geometry l1_geometry, l2_geometry;
static struct cpu **cpus;
static FILE *out;

static void cache_empty(struct cache *cache, const struct geometry *geometry)
{
	/* No line has this number. */
	memset(cache->lines, 0xff,
	       sizeof(uint64_t) * geometry->sets * geometry->ways);
}

/* Return whether the cache had the line, and make it the most recent. */
static bool cache_access(struct cache *cache, const struct geometry *geometry,
			 uint64_t line)
{
	uint64_t *way = cache->lines + line % geometry->sets * geometry->ways;
	unsigned int i = 0;
	bool hit;

	while (i < geometry->ways - 1 && way[i] != line)
		i++;
	hit = way[i] == line;
	memmove(way + 1, way, i * sizeof(*way));
	way[0] = line;
	cache->misses += !hit;
	return hit;
}

static void line_set_add(struct line_set *set, uint64_t line)
{
	unsigned int i = line * 0x9e3779b97f4a7c15ULL >> (64 - SET_SHIFT);

	for (; set->slots[i].generation == set->generation;
	     i = (i + 1) % SET_SIZE)
		if (set->slots[i].line == line)
			return;
	/* A section without operations has more, which are not reported. */
	if (set->count == SET_SIZE / 2)
		return;
	set->slots[i].line = line;
	set->slots[i].generation = set->generation;
	set->count++;
}

static void line_set_clear(struct line_set *set)
{
	set->generation++;
	set->count = 0;
}

static void on_instruction(unsigned int cpu, void *locked)
{
	struct cpu *c = cpus[cpu];

	if (!c->counting)
		return;
	c->instructions++;
	c->locked += !!locked;
}

static void on_access(unsigned int cpu, qemu_plugin_meminfo_t info,
		      uint64_t address, void *unused)
{
	struct cpu *c = cpus[cpu];
	struct qemu_plugin_hwaddr *hwaddr;
	uint64_t at, line, last;

	if (!c->counting)
		return;
	hwaddr = qemu_plugin_get_hwaddr(info, address);
	if (!hwaddr || qemu_plugin_hwaddr_is_io(hwaddr))
		return;
	at = qemu_plugin_hwaddr_phys_addr(hwaddr);
	last = (at + (1 << qemu_plugin_mem_size_shift(info)) - 1) >> LINE_SHIFT;
	for (line = at >> LINE_SHIFT; line <= last; line++) {
		line_set_add(&c->set, line);
		if (!cache_access(&c->l1, &l1_geometry, line))
			cache_access(&c->l2, &l2_geometry, line);
	}
}

static void begin_section(struct cpu *c)
{
	c->instructions = 0;
	c->locked = 0;
	c->operations = 0;
	c->lines = 0;
	c->l1.misses = 0;
	c->l2.misses = 0;
	line_set_clear(&c->set);
	c->counting = true;
}

static void end_section(unsigned int cpu, struct cpu *c)
{
	if (!c->counting)
		return;
	c->counting = false;
	fprintf(out, "%u %llu %llu %llu %llu %llu %llu\n", cpu,
		c->instructions, c->locked, c->operations, c->lines,
		c->l1.misses, c->l2.misses);
}

static void on_mark(unsigned int cpu, void *mark)
{
	struct cpu *c = cpus[cpu];

	switch ((uintptr_t)mark) {
	case BENCH_MARK_COLD:
		cache_empty(&c->l1, &l1_geometry);
		cache_empty(&c->l2, &l2_geometry);
		break;
	case BENCH_MARK_BEGIN:
		begin_section(c);
		break;
	case BENCH_MARK_OPERATION:
		c->operations++;
		c->lines += c->set.count;
		line_set_clear(&c->set);
		break;
	case BENCH_MARK_END:
		end_section(cpu, c);
		break;
	}
}

/* Return the mark that an instruction is, or 0. */
static uint32_t find_mark(const uint8_t *code, size_t size)
{
	uint32_t words[2];

	if (size != sizeof(words))
		return 0;
	memcpy(words, code, sizeof(words));
	return words[0] == BENCH_MARK_NOPL ? words[1] : 0;
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf2: case 0xf3:
	case 0x40 ... 0x4f:	/* REX */
		return true;
	}
	return false;
}

static bool is_locked(const uint8_t *code, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (code[i] == 0xf0)
			return true;
		if (!is_prefix(code[i]))
			break;
	}
	/* xchg with memory */
	return i + 1 < size && (code[i] & 0xfe) == 0x86 && code[i + 1] < 0xc0;
}

static void call_before(struct qemu_plugin_insn *insn,
			qemu_plugin_vcpu_udata_cb_t function, uintptr_t data)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, function,
					       QEMU_PLUGIN_CB_NO_REGS,
					       (void *)data);
}

static void translate_counting(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, size, n = qemu_plugin_tb_n_insns(tb);

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const void *code = qemu_plugin_insn_data(insn);
		uint32_t mark;

		size = qemu_plugin_insn_size(insn);
		mark = find_mark(code, size);
		if (mark)
			call_before(insn, on_mark, mark);
		else
			call_before(insn, on_instruction,
				    is_locked(code, size));
		qemu_plugin_register_vcpu_mem_cb(insn, on_access,
						 QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, NULL);
	}
}

static void count_from_now_on(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_counting);
}

static qemu_plugin_id_t plugin_id;

/* Forget all translated code, which does not count. */
static void on_attach(unsigned int cpu, void *unused)
{
	qemu_plugin_reset(plugin_id, count_from_now_on);
}

static void translate_idle(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (find_mark(qemu_plugin_insn_data(insn),
			      qemu_plugin_insn_size(insn)) == BENCH_MARK_ATTACH)
			call_before(insn, on_attach, 0);
	}
}

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fprintf(stderr, "cachelines: out of memory\n");
		exit(1);
	}
	return p;
}

static struct cpu *create_cpu(void)
{
	struct cpu *c = allocate(1, sizeof(*c));

	c->l1.lines = allocate(l1_geometry.sets * l1_geometry.ways,
			       sizeof(uint64_t));
	c->l2.lines = allocate(l2_geometry.sets * l2_geometry.ways,
			       sizeof(uint64_t));
	cache_empty(&c->l1, &l1_geometry);
	cache_empty(&c->l2, &l2_geometry);
	return c;
}

static int set_geometry(struct geometry *geometry, const char *name,
			unsigned int kib, unsigned int ways)
{
	unsigned int lines = kib << 10 >> LINE_SHIFT;

	if (!ways || !lines || lines % ways) {
		fprintf(stderr,
			"cachelines: %s: %u KiB do not make sets of %u lines\n",
			name, kib, ways);
		return -1;
	}
	geometry->sets = lines / ways;
	geometry->ways = ways;
	return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info, int argc,
					   char **argv)
{
	struct { const char *name; unsigned int value; } options[] = {
		{ "l1_kib=", 48 }, { "l1_ways=", 12 },
		{ "l2_kib=", 2048 }, { "l2_ways=", 16 },
	};
	size_t j;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			out = fopen(argv[i] + 4, "w");
			continue;
		}
		for (j = 0; j < ARRAY_SIZE(options); j++) {
			size_t n = strlen(options[j].name);

			if (strncmp(argv[i], options[j].name, n))
				continue;
			options[j].value = atoi(argv[i] + n);
			break;
		}
		if (j == ARRAY_SIZE(options)) {
			fprintf(stderr, "cachelines: unknown option '%s'\n",
				argv[i]);
			return -1;
		}
	}
	if (!out) {
		fprintf(stderr,
			"cachelines: out=FILE: missing or not writable\n");
		return -1;
	}
	if (set_geometry(&l1_geometry, "l1", options[0].value,
			 options[1].value) ||
	    set_geometry(&l2_geometry, "l2", options[2].value,
			 options[3].value))
		return -1;
	/* QEMU may be killed, so write whole lines. */
	setvbuf(out, NULL, _IOLBF, 0);
	cpus = allocate(info->system.max_vcpus, sizeof(*cpus));
	for (i = 0; i < info->system.max_vcpus; i++)
		cpus[i] = create_cpu();
	plugin_id = id;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_idle);
	return 0;
}
