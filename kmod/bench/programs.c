// SPDX-License-Identifier: GPL-2.0
/*
 * programs: benchmarks of /dev/memquota. It prints results as lines in the
 * format of kmod/bench/bench.c:
 *
 *	programs ioctls		the cost of an ioctl, from call to return
 *	programs latency	how long listing many accounts delays a thread
 *	programs scaling	ioctls of several programs at once, a CPU each
 *
 * The clock is the time stamp counter, which counts instructions under QEMU's
 * -icount; "ioctls" and "latency" report instructions. Programs run as an
 * ordinary user, whose memory memquota charges, except those that list.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/memquota.h>

#define TRACKER		"bench-programs"
#define USER		1000
#define BYTES		64

/* Take the least of READINGS readings, each over TIMES operations. */
#define READINGS	30
#define TIMES		1000

#define ACCOUNTS	100000
#define FAMILY		1000

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define MAX_CPUS	8
#define ROUNDS		10
/*
 * On a busy machine few readings find all programs running, so keep a reading
 * far shorter than a time slice, and try often.
 */
#define READING_NS	300000
#define TRIES		50

static int device;

static void die(const char *what)
{
	fprintf(stderr, "programs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline __attribute__((always_inline)) uint64_t ticks(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Skip the C library: its handling of errors is not measured. */
static inline __attribute__((always_inline))
long fast_ioctl(int fd, unsigned long cmd, const void *arg)
{
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "0" ((long)SYS_ioctl), "D" ((long)fd), "S" (cmd),
		       "d" (arg)
		     : "rcx", "r11", "memory");
	return ret;
}

static void report(const char *name, double value, const char *unit,
		   unsigned int cpus, unsigned int accounts, const char *peer,
		   double peer_value)
{
	char text[32] = "-";

	if (peer)
		snprintf(text, sizeof(text), "%.3f", peer_value);
	printf("%s %.3f %s %u %u %s %s -\n", name, value, unit, cpus, accounts,
	       peer ?: "-", text);
	fflush(stdout);
}

/* --- Objects --- */

static int new_account(int parent)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.tracker = TRACKER,
		.name = "bench",
		.parent_fd = parent,
	};

	if (ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create))
		die("account");
	return create.out_fd;
}

/* Return a participant of a new account, which stays open. */
static int new_participant(void)
{
	struct memquota_ioctl_join join = {
		.size = sizeof(join),
		.name = "bench",
	};

	if (ioctl(new_account(-1), MEMQUOTA_IOCTL_JOIN, &join))
		die("join");
	return join.out_fd;
}

static void create_tracker(void)
{
	struct memquota_ioctl_tracker_config config = {
		.size = sizeof(config),
		.flags = MEMQUOTA_TRACKER_PROGRAMS,
		.name = TRACKER,
	};

	device = open("/dev/memquota", O_RDWR | O_CLOEXEC);
	if (device < 0 ||
	    ioctl(device, MEMQUOTA_IOCTL_TRACKER_CREATE, &config))
		die(TRACKER);
}

static void destroy_tracker(void)
{
	struct memquota_ioctl_tracker_destroy destroy = {
		.size = sizeof(destroy),
		.name = TRACKER,
	};

	if (ioctl(device, MEMQUOTA_IOCTL_TRACKER_DESTROY, &destroy))
		die("destroy");
}

static void become_user(void)
{
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		die("setresuid");
}

/* --- Loops, each returning the ticks that @n iterations take --- */

typedef uint64_t (*loop_fn)(int fd, unsigned int n);

/* Measure the floor: a call that fails right after copying its structure. */
static uint64_t loop_copy(int fd, unsigned int n)
{
	const struct memquota_ioctl_charge refused = {
		.size = sizeof(refused),
		.flags = 1u << 31,
		.bytes = BYTES,
	};
	uint64_t start = ticks();

	do {
		if (fast_ioctl(fd, MEMQUOTA_IOCTL_CHARGE, &refused) !=
		    -EOPNOTSUPP)
			die("copy");
	} while (--n);
	return ticks() - start;
}

static void charge_bytes(int fd, uint64_t bytes)
{
	const struct memquota_ioctl_charge charge = {
		.size = sizeof(charge),
		.bytes = bytes,
	};

	if (ioctl(fd, MEMQUOTA_IOCTL_CHARGE, &charge))
		die("charge");
}

static void uncharge_bytes(int fd, uint64_t bytes)
{
	const struct memquota_ioctl_uncharge uncharge = {
		.size = sizeof(uncharge),
		.bytes = bytes,
	};

	if (ioctl(fd, MEMQUOTA_IOCTL_UNCHARGE, &uncharge))
		die("uncharge");
}

static uint64_t loop_charge(int fd, unsigned int n)
{
	const struct memquota_ioctl_charge one = {
		.size = sizeof(one),
		.bytes = BYTES,
	};
	uint64_t bytes = (uint64_t)n * BYTES, start, end;

	start = ticks();
	do {
		if (fast_ioctl(fd, MEMQUOTA_IOCTL_CHARGE, &one))
			die("charge");
	} while (--n);
	end = ticks();
	uncharge_bytes(fd, bytes);
	return end - start;
}

static uint64_t loop_uncharge(int fd, unsigned int n)
{
	const struct memquota_ioctl_uncharge one = {
		.size = sizeof(one),
		.bytes = BYTES,
	};
	uint64_t start;

	charge_bytes(fd, (uint64_t)n * BYTES);
	start = ticks();
	do {
		if (fast_ioctl(fd, MEMQUOTA_IOCTL_UNCHARGE, &one))
			die("uncharge");
	} while (--n);
	return ticks() - start;
}

static uint64_t loop_charge_uncharge(int fd, unsigned int n)
{
	const struct memquota_ioctl_charge one = {
		.size = sizeof(one),
		.bytes = BYTES,
	};
	const struct memquota_ioctl_uncharge back = {
		.size = sizeof(back),
		.bytes = BYTES,
	};
	uint64_t start = ticks();

	do {
		if (fast_ioctl(fd, MEMQUOTA_IOCTL_CHARGE, &one) ||
		    fast_ioctl(fd, MEMQUOTA_IOCTL_UNCHARGE, &back))
			die("charge and uncharge");
	} while (--n);
	return ticks() - start;
}

/* --- Cost of an ioctl --- */

static double measure_loop(loop_fn loop, int fd)
{
	uint64_t best = UINT64_MAX, one;
	int i;

	loop(fd, TIMES);
	for (i = 0; i < READINGS; i++) {
		one = loop(fd, TIMES);
		if (one < best)
			best = one;
	}
	return (double)best / TIMES;
}

static void measure_ioctls(void)
{
	double copy, value;
	int fd;

	become_user();
	fd = new_participant();
	copy = measure_loop(loop_copy, fd);
	report("peer_ioctl_copy", copy, "instructions", 1, 0, NULL, 0);
	value = measure_loop(loop_charge, fd);
	report("ioctl_charge", value, "instructions", 1, 0,
	       "peer_ioctl_copy", copy);
	report("ioctl_charge_against_copy", value / copy, "times", 1, 0,
	       NULL, 0);
	value = measure_loop(loop_uncharge, fd);
	report("ioctl_uncharge", value, "instructions", 1, 0,
	       "peer_ioctl_copy", copy);
	report("ioctl_uncharge_against_copy", value / copy, "times", 1, 0,
	       NULL, 0);
}

/* --- Wake-up latency while accounts are listed --- */

static struct sleeper {
	atomic_bool stop;
	uint64_t worst_ns;
	unsigned long wakeups;
} *sleeper;

static void *map_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

/* Wake about every 100 us, at random times, and record the worst delay. */
static void sleep_and_wake(void)
{
	const struct sched_param highest = {
		.sched_priority = sched_get_priority_max(SCHED_FIFO),
	};
	uint32_t random = 1;

	if (mlockall(MCL_CURRENT) ||
	    sched_setscheduler(0, SCHED_FIFO, &highest))
		die("real-time thread");
	while (!sleeper->stop) {
		uint64_t expires, now;
		struct timespec t;

		random = random * 1664525 + 1013904223;
		expires = now_ns() + 50000 + (random >> 16);
		t.tv_sec = expires / 1000000000;
		t.tv_nsec = expires % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		now = now_ns();
		if (now > expires && now - expires > sleeper->worst_ns)
			sleeper->worst_ns = now - expires;
		sleeper->wakeups++;
	}
	_exit(0);
}

/* Return the worst latency while @work runs on the same CPU. */
static uint64_t measure_worst_latency(void (*work)(void))
{
	usleep(20000);
	sleeper->worst_ns = 0;
	sleeper->wakeups = 0;
	work();
	fprintf(stderr, "programs: %lu wakeups\n", sleeper->wakeups);
	return sleeper->worst_ns;
}

static int participant;

static void work_nothing(void)
{
	uint64_t end = now_ns() + 500000000;

	while (now_ns() < end)
		loop_copy(participant, TIMES);
}

static void work_list(void)
{
	struct memquota_ioctl_account_list list = {
		.size = sizeof(list),
		.tracker = TRACKER,
	};
	unsigned int n = 0;

	while (!ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, &list)) {
		list.after_id = list.out_id;
		n++;
	}
	if (errno != ENOENT || n < ACCOUNTS) {
		fprintf(stderr, "programs: %u accounts listed\n", n);
		die("list");
	}
}

/* Create families of accounts, and one child of the first of each family. */
static void create_accounts(void)
{
	struct memquota_ioctl_account_add_parent add = { .size = sizeof(add) };
	const struct rlimit files = { 2 * ACCOUNTS, 2 * ACCOUNTS };
	int parents[ACCOUNTS / FAMILY], parent = -1, i;

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("files");
	for (i = 0; i < ACCOUNTS - 1; i++) {
		if (i % FAMILY) {
			new_account(parent);
		} else {
			parent = new_account(-1);
			parents[i / FAMILY] = parent;
		}
	}
	i = new_account(-1);
	for (parent = 0; parent < ACCOUNTS / FAMILY; parent++) {
		add.parent_fd = parents[parent];
		if (ioctl(i, MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT, &add))
			die("parent");
	}
}

static void measure_latency(void)
{
	uint64_t idle;
	cpu_set_t cpu;
	pid_t pid;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		die("affinity");
	sleeper = map_shared(sizeof(*sleeper));
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		sleep_and_wake();
	participant = new_participant();
	idle = measure_worst_latency(work_nothing);
	report("peer_wake_latency_ioctl_copy", idle, "instructions", 1, 0,
	       NULL, 0);
	create_accounts();
	report("wake_latency_list_ioctl_100000",
	       measure_worst_latency(work_list), "instructions", 1, ACCOUNTS,
	       "peer_wake_latency_ioctl_copy", idle);
	sleeper->stop = true;
	waitpid(pid, NULL, 0);
}

/* --- Programs on several CPUs at once --- */

struct reading {
	atomic_uint missing;
	struct {
		uint64_t begin;
		uint64_t end;
		uint64_t elapsed;
	} of[MAX_CPUS];
};

static struct reading *readings;	/* TRIES of them */

static void run_on_cpu(unsigned int cpu, loop_fn loop, unsigned int times)
{
	struct reading *r;
	cpu_set_t mask;
	int fd;

	CPU_ZERO(&mask);
	CPU_SET(cpu, &mask);
	if (sched_setaffinity(0, sizeof(mask), &mask))
		die("affinity");
	become_user();
	fd = new_participant();
	loop(fd, times);
	for (r = readings; r < readings + TRIES; r++) {
		r->missing--;
		while (r->missing)
			sched_yield();
		r->of[cpu].begin = ticks();
		r->of[cpu].elapsed = loop(fd, times);
		r->of[cpu].end = ticks();
	}
	_exit(0);
}

/* Return whether the programs overlapped for most of the reading. */
static bool ran_together(const struct reading *r, unsigned int cpus)
{
	uint64_t first = UINT64_MAX, last = 0, begin = 0, end = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		uint64_t from = r->of[i].begin, to = r->of[i].end;

		first = from < first ? from : first;
		last = to > last ? to : last;
		begin = from > begin ? from : begin;
		end = to < end ? to : end;
	}
	return end > begin && (end - begin) * 5 >= (last - first) * 3;
}

/* Return the elapsed ticks, averaged over the CPUs. */
static double mean_elapsed(const struct reading *r, unsigned int cpus)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < cpus; i++)
		sum += r->of[i].elapsed;
	return sum / cpus;
}

/*
 * Return the ticks per iteration of the best reading in which the programs
 * overlapped, 0 if there is none.
 */
static double measure_together(loop_fn loop, unsigned int cpus,
			       unsigned int times)
{
	struct reading *r;
	double best = 0;
	unsigned int i;
	int status;

	for (r = readings; r < readings + TRIES; r++)
		r->missing = cpus;
	for (i = 0; i < cpus; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			run_on_cpu(i, loop, times);
	}
	for (i = 0; i < cpus; i++)
		if (wait(&status) < 0 || status)
			die("a program failed");
	for (r = readings; r < readings + TRIES; r++)
		if (ran_together(r, cpus) &&
		    (!best || mean_elapsed(r, cpus) < best))
			best = mean_elapsed(r, cpus);
	return best / times;
}

static const struct row {
	const char *name;
	loop_fn loop;
} rows[] = {
	{ "peer_ioctl_copy", loop_copy },	/* the floor */
	{ "ioctl_charge_uncharge", loop_charge_uncharge },
};

#define ROWS		ARRAY_SIZE(rows)

static double ticks_per_ns(void)
{
	uint64_t ns = now_ns(), start = ticks(), end;

	do {
		end = now_ns();
	} while (end - ns < 10000000);
	return (double)(ticks() - start) / (end - ns);
}

static void report_scaling(double best[ROWS][MAX_CPUS + 1], double per_ns,
			   const unsigned int *counts)
{
	for (; *counts; counts++) {
		unsigned int n = *counts, row;
		double slow[ROWS];
		char name[64];

		for (row = 0; row < ROWS; row++) {
			slow[row] = best[row][n] / best[row][1];
			if (!best[row][n] || !best[0][n])
				continue;
			report(rows[row].name, best[row][n] / per_ns, "ns", n, 0,
			       row ? rows[0].name : NULL, best[0][n] / per_ns);
			if (!row || n == 1)
				continue;
			snprintf(name, sizeof(name), "%s_all_cpus",
				 rows[row].name);
			report(name, slow[row] / slow[0], "of_floor", n, 0,
			       rows[0].name, slow[0]);
		}
	}
}

static void measure_scaling(void)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_ONLN), counts[MAX_CPUS + 1] = {};
	unsigned int times[ROWS], row, round, i = 0, n;
	double best[ROWS][MAX_CPUS + 1] = {}, value, per_ns = ticks_per_ns();

	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	for (n = 1; n < cpus; n *= 2)
		counts[i++] = n;
	counts[i] = cpus;
	readings = map_shared(TRIES * sizeof(*readings));
	for (row = 0; row < ROWS; row++) {
		value = measure_together(rows[row].loop, 1, TIMES);
		times[row] = READING_NS * per_ns / value + 1;
	}
	for (round = 0; round < ROUNDS; round++)
		for (row = 0; row < ROWS; row++)
			for (i = 0; counts[i]; i++) {
				n = counts[i];
				value = measure_together(rows[row].loop, n,
							 times[row]);
				if (value && (!best[row][n] ||
					      value < best[row][n]))
					best[row][n] = value;
			}
	report_scaling(best, per_ns, counts);
}

/* Run a group in a process of its own, whose exit frees all its objects. */
static bool run_group(void (*measure)(void))
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		measure();
		exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*measure)(void);
	} groups[] = {
		{ "ioctls", measure_ioctls },
		{ "latency", measure_latency },
		{ "scaling", measure_scaling },
	};
	bool good = false;
	unsigned int i;

	create_tracker();
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (argc == 2 && !strcmp(argv[1], groups[i].name))
			good = run_group(groups[i].measure);
	destroy_tracker();
	return !good;
}
