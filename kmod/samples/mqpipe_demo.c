// SPDX-License-Identifier: GPL-2.0
/*
 * mqpipe_demo: stream files through many mqpipes at once, with readers of
 * different speeds, and check what happens.
 *
 *	mqpipe_demo PIPES LIVES OUT FILE...
 *
 * Each pipe has a writer process and a reader process, which compares what it
 * reads with the file. A pipe that is reclaimed starts again, at most LIVES
 * times in all. Standard output gets a table twice a second, each frame between
 * "@frame" and "@end", then the verdict. OUT/samples.csv and OUT/events.csv
 * are for the plot.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/"
#define TRACKER		DEBUGFS "memquota/default/"
#define TRACING		"/sys/kernel/tracing/"
#define MAX_PIPES	64
#define MIB		1048576.0
#define SAMPLE_MS	50
#define FRAME_SAMPLES	10
#define TIMEOUT_S	150

/* Reading speeds in KiB/s; 0: unlimited. */
static const unsigned int reader_speeds[] = { 0, 1600, 900, 200 };
static const unsigned int writer_speed = 1800;

/* The coarse clock cannot tell these apart: a tick at HZ=100. */
#define TIE_MS		10

struct source {
	const char *name;
	const char *data;
	size_t size;
};

/* One life of a pipe; its two processes write it. */
struct life {
	size_t written;
	size_t read;
	int writer_errno;	/* 0: wrote the whole file */
	int reader_errno;	/* 0: read to the end */
	bool mismatch;
};

struct pipe {
	char name[32];
	struct source *source;
	unsigned int speed;
	pid_t writer, reader;	/* 0: exited */
	unsigned int lives;	/* started so far */
	bool finished;
	struct life *life;	/* the current one; shared memory */
	/* from mqpipe's table */
	char state[16];
	unsigned long long held, reclaims, older, older_ms;
	char age[24];
};

struct usage {
	unsigned long long total, peak, max, high, low_water, reclaims;
	char state[32];
};

static struct source sources[16];
static struct pipe pipes[MAX_PIPES];
static struct life *lives;
static int nr_sources, nr_pipes, max_lives;
static struct timespec started;
static bool good = true;

static void die(const char *what)
{
	printf("mqpipe_demo: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now_s(const struct timespec *since)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec - since->tv_sec + (t.tv_nsec - since->tv_nsec) / 1e9;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Sleep until @done bytes since @since make @speed KiB/s. */
static void keep_pace(const struct timespec *since, size_t done, unsigned int speed)
{
	double ahead;

	if (!speed)
		return;
	ahead = done / (speed * 1024.0) - now_s(since);
	if (ahead > 0.001)
		usleep(ahead * 1e6);
}

static void run_writer(struct pipe *p, struct life *l)
{
	char path[64];
	struct timespec t;
	size_t n;
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "/dev/mqpipe/%s", p->name);
	fd = open(path, O_WRONLY);
	if (fd < 0) {
		l->writer_errno = errno;
		_exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	while (l->written < p->source->size) {
		n = p->source->size - l->written;
		if (n > 16384)
			n = 16384;
		ret = write(fd, p->source->data + l->written, n);
		if (ret < 0) {
			l->writer_errno = errno;
			break;
		}
		l->written += ret;
		keep_pace(&t, l->written, writer_speed);
	}
	close(fd);
	_exit(0);
}

static void run_reader(struct pipe *p, struct life *l)
{
	static char buf[65536];
	char path[64];
	struct timespec t;
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "/dev/mqpipe/%s", p->name);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		l->reader_errno = errno;
		_exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (;;) {
		ret = read(fd, buf, p->speed ? 16384 : sizeof(buf));
		if (ret < 0)
			l->reader_errno = errno;
		if (ret <= 0)
			break;
		if (l->read + ret > p->source->size ||
		    memcmp(buf, p->source->data + l->read, ret))
			l->mismatch = true;
		l->read += ret;
		keep_pace(&t, l->read, p->speed);
	}
	close(fd);
	_exit(0);
}

static void start_life(struct pipe *p)
{
	p->life = &lives[(p - pipes) * max_lives + p->lives++];
	fflush(stdout);
	p->reader = fork();
	if (!p->reader)
		run_reader(p, p->life);
	p->writer = fork();
	if (!p->writer)
		run_writer(p, p->life);
	if (p->reader < 0 || p->writer < 0)
		die("fork");
}

/* Reap children and restart pipes that were victims; return whether any runs. */
static bool reap_children(void)
{
	bool running = false;
	struct pipe *p;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (p = pipes; p < pipes + nr_pipes; p++) {
			if (p->writer == pid)
				p->writer = 0;
			if (p->reader == pid)
				p->reader = 0;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			printf("mqpipe_demo: a child failed: status %#x\n",
			       status);
			good = false;
		}
	}
	for (p = pipes; p < pipes + nr_pipes; p++) {
		if (!p->writer && !p->reader && !p->finished) {
			if (p->life->reader_errno == ENOBUFS &&
			    p->lives < (unsigned int)max_lives)
				start_life(p);
			else
				p->finished = true;
		}
		running |= !p->finished;
	}
	return running;
}

/* --- Reading the kernel's counters --- */

static void read_usage(struct usage *u)
{
	char key[32], value[32];
	FILE *f = fopen(TRACKER "usage", "r");

	if (!f)
		die(TRACKER "usage");
	memset(u, 0, sizeof(*u));
	while (fscanf(f, "%31s %31s", key, value) == 2) {
		unsigned long long v = strtoull(value, NULL, 10);

		if (!strcmp(key, "total"))
			u->total = v;
		else if (!strcmp(key, "peak"))
			u->peak = v;
		else if (!strcmp(key, "max"))
			u->max = v;
		else if (!strcmp(key, "high"))
			u->high = v;
		else if (!strcmp(key, "low_water"))
			u->low_water = v;
		else if (!strcmp(key, "reclaims"))
			u->reclaims = v;
		else if (!strcmp(key, "state"))
			snprintf(u->state, sizeof(u->state), "%s", value);
	}
	fclose(f);
}

static void read_pipes(void)
{
	unsigned long long held, reclaims, older, older_ms;
	char line[256], name[32], state[16], age[24];
	FILE *f = fopen(DEBUGFS "mqpipe/pipes", "r");
	struct pipe *p;

	if (!f)
		die(DEBUGFS "mqpipe/pipes");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %15s %*u %*u %llu %*u %23s %*u %*u %llu %llu %llu",
			   name, state, &held, age, &reclaims, &older,
			   &older_ms) != 7)
			continue;
		for (p = pipes; p < pipes + nr_pipes; p++) {
			if (strcmp(p->name, name))
				continue;
			snprintf(p->state, sizeof(p->state), "%s", state);
			snprintf(p->age, sizeof(p->age), "%s", age);
			p->held = held;
			p->reclaims = reclaims;
			p->older = older;
			p->older_ms = older_ms;
		}
	}
	fclose(f);
}

static void start_tracing(void)
{
	write_file(TRACING "trace_clock", "mono");
	if (!write_file(TRACING "events/memquota/memquota_reclaim_start/enable", "1") ||
	    !write_file(TRACING "events/memquota/memquota_reclaim_end/enable", "1") ||
	    !write_file(TRACING "events/memquota/memquota_victim/enable", "1"))
		die("memquota's tracepoints");
}

/*
 * Convert lines such as
 *
 *	task-1 [000] ..... 12.345678: memquota_victim: tracker=default
 *	account=7:mqpipe/p03 participant=p03 held=...
 *
 * The identifier of an account is never used again, so it identifies one life
 * of a pipe, whichever of its participants was the victim.
 */
static void write_events(const char *out)
{
	double offset = started.tv_sec + started.tv_nsec / 1e9, t;
	char path[256], line[1024], *event, *account, *value;
	FILE *in = fopen(TRACING "trace", "r"), *f;

	snprintf(path, sizeof(path), "%s/events.csv", out);
	f = fopen(path, "w");
	if (!in || !f)
		die(path);
	fprintf(f, "time_s,event,account,bytes\n");
	while (fgets(line, sizeof(line), in)) {
		event = strstr(line, ": memquota_");
		if (!event || line[0] == '#')
			continue;
		*event = '\0';
		t = strtod(strrchr(line, ' ') + 1, NULL) - offset;
		event += strlen(": memquota_");
		account = strstr(event, " account=");
		account = account ? account + strlen(" account=") : "";
		value = strstr(event, " total=");
		if (!value)
			value = strstr(event, " held=");
		fprintf(f, "%.6f,%.*s,%.*s,%llu\n", t,
			(int)strcspn(event, ":"), event,
			(int)strcspn(account, " ,\n"), account,
			value ? strtoull(strchr(value, '=') + 1, NULL, 10) : 0);
	}
	fclose(f);
	fclose(in);
}

/* --- The table --- */

static void fill_bar(char *text, int width, double part)
{
	int i, full = part * width + 0.5;

	for (i = 0; i < width; i++)
		text[i] = i < full ? '#' : '.';
	text[width] = '\0';
}

static const char *pipe_state(const struct pipe *p)
{
	if (!p->finished)
		return !strcmp(p->state, "open") ? "streaming" : p->state;
	return p->life->reader_errno ? "given up" : "complete";
}

static void draw_pipe(const struct pipe *p)
{
	char progress[16], speed[24] = "unlimited ";

	if (p->speed)
		snprintf(speed, sizeof(speed), "%4u KiB/s", p->speed);
	fill_bar(progress, 10, (double)p->life->read / p->source->size);
	printf("%-4s %10s %-9.9s %5.2f MiB %6s ms %s", p->name, speed,
	       pipe_state(p), p->held / MIB, p->finished ? "-" : p->age,
	       progress);
}

static void draw_frame(const struct usage *u)
{
	const int width = 60;
	double scale = u->high * 1.25;
	int i, rows = (nr_pipes + 1) / 2;
	unsigned int victims = 0, complete = 0;
	char total[64];

	for (i = 0; i < nr_pipes; i++) {
		victims += pipes[i].reclaims;
		complete += pipes[i].finished && !pipes[i].life->reader_errno;
	}
	fill_bar(total, width, u->total < scale ? u->total / scale : 1);
	i = u->low_water / scale * width;
	total[i] = 'L';
	i = u->high / scale * width;
	total[i] = 'H';
	printf("@frame %d\n", rows + 4);
	printf("|%5.1f s  total %4.1f MiB  low_water %.1f  high %.1f  peak %.1f",
	       now_s(&started), u->total / MIB, u->low_water / MIB,
	       u->high / MIB, u->peak / MIB);
	printf("  reclaims %llu  given up %u  complete %u\n", u->reclaims,
	       victims, complete);
	printf("|[%s]\n", total);
	printf("|%-4s %10s %-9s %9s %9s %-10s   %-4s %10s %-9s %9s %9s %s\n",
	       "pipe", "reader", "state", "held", "age", "read", "pipe",
	       "reader", "state", "held", "age", "read");
	for (i = 0; i < rows; i++) {
		putchar('|');
		draw_pipe(&pipes[i]);
		if (i + rows < nr_pipes) {
			printf("   ");
			draw_pipe(&pipes[i + rows]);
		}
		putchar('\n');
	}
	printf("|\n@end\n");
	fflush(stdout);
}

/* --- The verdict --- */

__attribute__((__format__(printf, 2, 3)))
static void check(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("%s ", ok ? "  ok  " : "FAILED");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	good &= ok;
}

static void print_verdict(const struct usage *last)
{
	unsigned long long reclaims = 0, older = 0, older_ms = 0, bytes = 0;
	unsigned int victims = 0, complete = 0, wrong = 0, odd = 0, i, n;
	struct usage drained;
	double over;

	for (i = 0; i < (unsigned int)nr_pipes; i++) {
		struct pipe *p = &pipes[i];

		reclaims += p->reclaims;
		older += p->older;
		if (p->older_ms > older_ms)
			older_ms = p->older_ms;
		for (n = 0; n < p->lives; n++) {
			struct life *l = &lives[i * max_lives + n];

			bytes += l->read;
			wrong += l->mismatch || l->read > l->written;
			if (l->reader_errno == ENOBUFS) {
				victims++;
				odd += l->writer_errno &&
				       l->writer_errno != ENOBUFS;
			} else if (!l->reader_errno && !l->writer_errno) {
				complete++;
				wrong += l->read != p->source->size;
			} else {
				odd++;
			}
		}
	}
	write_file(TRACKER "drain", "1");
	read_usage(&drained);

	over = 100.0 * ((double)last->peak - last->high) / last->high;
	printf("verdict\n");
	check(last->peak > last->high && last->peak <= last->max,
	      "the peak was %.2f MiB, %.1f %% over high (%.1f MiB), not over max (%.1f MiB)",
	      last->peak / MIB, over, last->high / MIB, last->max / MIB);
	check(last->reclaims > 0, "%llu runs of reclaim brought it to low_water (%.1f MiB)",
	      last->reclaims, last->low_water / MIB);
	check(victims && reclaims == victims,
	      "%llu pipes were given up, and %u readers and their writers were told so",
	      reclaims, victims);
	check(older_ms <= TIE_MS,
	      "each held the oldest data (%llu held older, by at most %llu ms; a tie is %d ms)",
	      older, older_ms, TIE_MS);
	check(complete && !wrong,
	      "%u streams came through whole, %u readers got the beginning: %.1f MiB compared, %u wrong",
	      complete, victims, bytes / MIB, wrong);
	check(!odd, "%u streams ended for another reason", odd);
	check(drained.total == 0, "with everything closed the total is %llu",
	      drained.total);
	check(!strcmp(drained.state, "counting"), "the tracker is %s",
	      drained.state);
}

int main(int argc, char **argv)
{
	char command[64], path[256];
	struct usage usage;
	FILE *samples;
	int i, fd, n;

	if (argc < 5) {
		printf("usage: mqpipe_demo PIPES LIVES OUT FILE...\n");
		return 2;
	}
	nr_pipes = atoi(argv[1]);
	max_lives = atoi(argv[2]);
	if (nr_pipes < 1 || nr_pipes > MAX_PIPES || max_lives < 1)
		return 2;
	for (i = 4; i < argc && nr_sources < 16; i++) {
		struct source *s = &sources[nr_sources++];
		struct stat st;

		fd = open(argv[i], O_RDONLY);
		if (fd < 0 || fstat(fd, &st) || !st.st_size)
			die(argv[i]);
		s->name = argv[i];
		s->size = st.st_size;
		s->data = mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
		if (s->data == MAP_FAILED)
			die(argv[i]);
		close(fd);
	}
	lives = mmap(NULL, sizeof(*lives) * nr_pipes * max_lives,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lives == MAP_FAILED)
		die("mmap");
	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "%s/samples.csv", argv[3]);
	samples = fopen(path, "w");
	if (!samples)
		die(path);
	fprintf(samples, "time_s,total,high,low_water\n");
	start_tracing();
	clock_gettime(CLOCK_MONOTONIC, &started);

	for (i = 0; i < nr_pipes; i++) {
		struct pipe *p = &pipes[i];

		snprintf(p->name, sizeof(p->name), "p%02d", i);
		snprintf(command, sizeof(command), "create %.31s", p->name);
		if (!write_file("/dev/mqpipe/control", command))
			die(command);
		p->source = &sources[i % nr_sources];
		p->speed = reader_speeds[i % 4];
		start_life(p);
	}
	for (n = 0; reap_children(); n++) {
		read_usage(&usage);
		fprintf(samples, "%.3f,%llu,%llu,%llu\n", now_s(&started),
			usage.total, usage.high, usage.low_water);
		if (n % FRAME_SAMPLES == 0) {
			read_pipes();
			draw_frame(&usage);
		}
		if (now_s(&started) > TIMEOUT_S) {
			check(false, "timed out after %d s", TIMEOUT_S);
			for (i = 0; i < nr_pipes; i++) {
				if (pipes[i].writer)
					kill(pipes[i].writer, SIGKILL);
				if (pipes[i].reader)
					kill(pipes[i].reader, SIGKILL);
			}
			while (wait(NULL) > 0)
				;
			break;
		}
		usleep(SAMPLE_MS * 1000);
	}
	read_usage(&usage);
	fprintf(samples, "%.3f,%llu,%llu,%llu\n", now_s(&started), usage.total,
		usage.high, usage.low_water);
	fclose(samples);
	read_pipes();
	draw_frame(&usage);
	write_events(argv[3]);
	print_verdict(&usage);
	fflush(stdout);
	return !good;
}
