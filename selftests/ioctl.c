// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of /dev/memquota: what they answer, each of their errnos, and
 * what they do with structures of every size and in every place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define NODE		"/dev/memquota"
#define PARAMETERS	"/sys/module/memquota/parameters/"
#define DEFAULT		"default"
#define CANARY		0xa5

/* 0, or the errno. */
static int call(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

static int ask_tracker(int fd, const char *name,
		       struct memquota_ioctl_tracker *tracker)
{
	memset(tracker, 0, sizeof(*tracker));
	tracker->size = sizeof(*tracker);
	memcpy(tracker->name, name, strnlen(name, sizeof(tracker->name) - 1));
	return call(fd, MEMQUOTA_IOCTL_TRACKER, tracker);
}

static bool get_parameter(const char *name, char *value, size_t size)
{
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, value, size - 1);
	close(fd);
	value[len > 0 ? len : 0] = 0;
	return len >= 0;
}

static bool set_parameter(const char *name, const char *value)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok;
}

FIXTURE(node)
{
	int fd;
};

FIXTURE_SETUP(node)
{
	self->fd = open(NODE, O_RDWR | O_CLOEXEC);
	if (self->fd < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(node)
{
	close(self->fd);
}

TEST_F(node, is_root_s)
{
	struct stat st;
	int status;
	pid_t pid;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(open(NODE, O_RDONLY) >= 0 || errno != EACCES);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(node, neither_reads_nor_seeks)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(node, unknown_ioctls)
{
	/* Type 0 has numbers that mean the same to every file. */
	static const unsigned int types[] = {
		MEMQUOTA_IOCTL_TYPE - 1, MEMQUOTA_IOCTL_TYPE + 1, 0xff,
	};
	struct memquota_ioctl_tracker t = { .size = sizeof(t) };
	unsigned int nr, i;

	for (nr = 0; nr < 256; nr++) {
		if (nr < MEMQUOTA_CMD_BASE || nr > MEMQUOTA_CMD_TRACKER)
			EXPECT_EQ(ENOTTY, call(self->fd,
					       _IO(MEMQUOTA_IOCTL_TYPE, nr), &t));
		for (i = 0; i < ARRAY_SIZE(types); i++)
			EXPECT_EQ(ENOTTY, call(self->fd, _IO(types[i], nr), &t));
	}
	/* The right number with a size or a direction is another ioctl. */
	EXPECT_EQ(ENOTTY, call(self->fd, _IOWR(MEMQUOTA_IOCTL_TYPE,
					       MEMQUOTA_CMD_INFO, t), &t));
	EXPECT_EQ(ENOTTY, call(self->fd, _IOR(MEMQUOTA_IOCTL_TYPE,
					      MEMQUOTA_CMD_TRACKER, t), &t));
}

TEST_F(node, info)
{
	struct memquota_ioctl_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, call(self->fd, MEMQUOTA_IOCTL_INFO, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_GE(info.out_version, MEMQUOTA_IOCTL_VERSION);
	EXPECT_EQ(MEMQUOTA_IOCTL_NAME_SIZE, info.out_name_size);
	EXPECT_NE(0, info.out_features & MEMQUOTA_FEATURE_TRACKER);
	EXPECT_EQ(16384, info.out_cache_max);
	EXPECT_EQ(MEMQUOTA_IOCTL_SIZE_MAX, info.out_size_max);
	EXPECT_EQ(0, info.__reserved);
}

TEST_F(node, info_on_any_open_mode)
{
	struct memquota_ioctl_info info = { .size = sizeof(info) };
	int fd = open(NODE, O_RDONLY);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, call(fd, MEMQUOTA_IOCTL_INFO, &info));
	close(fd);
	fd = open(NODE, O_PATH);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(EBADF, call(fd, MEMQUOTA_IOCTL_INFO, &info));
	close(fd);
}

TEST_F(node, tracker)
{
	struct memquota_ioctl_tracker t;

	ASSERT_EQ(0, ask_tracker(self->fd, DEFAULT, &t));
	EXPECT_EQ(sizeof(t), t.size);
	EXPECT_STREQ(DEFAULT, t.name);
	EXPECT_EQ(MEMQUOTA_STATE_COUNTING, t.out_state);
	EXPECT_LE(t.out_low_water, t.out_high);
	EXPECT_LE(t.out_high, t.out_max);
	EXPECT_LE(t.out_total, t.out_peak);
	EXPECT_LE(t.out_excess_max,
		  (__u64)sysconf(_SC_NPROCESSORS_CONF) * 64 * 1024);
	EXPECT_LE(t.out_excess_max, t.out_low_water / 8);
	EXPECT_EQ(0, t.__reserved);
}

/* What is set shows; what is not set shows as it is derived. */
TEST_F(node, t2_limits)
{
	struct memquota_ioctl_tracker t;
	char high[64];

	if (!get_parameter("high", high, sizeof(high)))
		SKIP(return, "no parameters");
	ASSERT_TRUE(set_parameter("high", "512M"));
	EXPECT_EQ(0, ask_tracker(self->fd, DEFAULT, &t));
	EXPECT_EQ(512ULL << 20, t.out_high);
	EXPECT_EQ(384ULL << 20, t.out_low_water);
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, t.out_max);

	EXPECT_FALSE(set_parameter("high", "100K"));
	EXPECT_FALSE(set_parameter("high", "many"));
	EXPECT_EQ(0, ask_tracker(self->fd, DEFAULT, &t));
	EXPECT_EQ(512ULL << 20, t.out_high);

	EXPECT_TRUE(set_parameter("high", high));
}

TEST_F(node, tracker_names)
{
	struct memquota_ioctl_tracker t;

	EXPECT_EQ(ENOENT, ask_tracker(self->fd, "", &t));
	EXPECT_EQ(ENOENT, ask_tracker(self->fd, "nobody", &t));
	EXPECT_EQ(ENOENT, ask_tracker(self->fd, DEFAULT "x", &t));
	EXPECT_EQ(ENOENT, ask_tracker(self->fd, "defaul", &t));
	EXPECT_EQ(ENOENT, ask_tracker(self->fd, "%s%n/../\xff", &t));
	EXPECT_EQ(ENOENT, ask_tracker(self->fd,
				      "as-long-as-a-name-can-be-at-all", &t));

	/* What stands behind the end of the name is not part of it. */
	memset(&t, 0, sizeof(t));
	t.size = sizeof(t);
	memset(t.name, 'x', sizeof(t.name));
	memcpy(t.name, DEFAULT, sizeof(DEFAULT));
	EXPECT_EQ(0, call(self->fd, MEMQUOTA_IOCTL_TRACKER, &t));

	memset(t.name, 'x', sizeof(t.name));
	EXPECT_EQ(EINVAL, call(self->fd, MEMQUOTA_IOCTL_TRACKER, &t));
}

FIXTURE(each)
{
	int fd;
	unsigned char *pages;	/* two, of which the second may be unmapped */
};

FIXTURE_VARIANT(each)
{
	unsigned int cmd;
	size_t size;
	size_t min_size;
	size_t flags;
	size_t reserved;
	const char *name;
};

FIXTURE_VARIANT_ADD(each, info)
{
	.cmd = MEMQUOTA_IOCTL_INFO,
	.size = sizeof(struct memquota_ioctl_info),
	.min_size = 40,
	.flags = offsetof(struct memquota_ioctl_info, flags),
	.reserved = offsetof(struct memquota_ioctl_info, __reserved),
};

FIXTURE_VARIANT_ADD(each, tracker)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER,
	.size = sizeof(struct memquota_ioctl_tracker),
	.min_size = 120,
	.flags = offsetof(struct memquota_ioctl_tracker, flags),
	.reserved = offsetof(struct memquota_ioctl_tracker, __reserved),
	.name = DEFAULT,
};

#define PAGES	(2 * MEMQUOTA_IOCTL_SIZE_MAX)

FIXTURE_SETUP(each)
{
	self->fd = open(NODE, O_RDWR | O_CLOEXEC);
	if (self->fd < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(self->fd, 0);
	self->pages = mmap(NULL, PAGES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->pages);
}

FIXTURE_TEARDOWN(each)
{
	munmap(self->pages, PAGES);
	close(self->fd);
}

/* A right structure of @size bytes at @p, as much of it as there is. */
static void prepare(const char *name, void *p, __u32 size)
{
	char whole[MEMQUOTA_IOCTL_SIZE_MAX] = { };
	size_t len = size < sizeof(whole) ? size : sizeof(whole);

	memcpy(whole, &size, sizeof(size));
	if (name)
		memcpy(whole + offsetof(struct memquota_ioctl_tracker, name),
		       name, strlen(name));
	memcpy(p, whole, len < sizeof(size) ? sizeof(size) : len);
}

TEST_F(each, sizes)
{
	unsigned char *p = self->pages;
	__u32 size, i;

	for (size = 0; size <= MEMQUOTA_IOCTL_SIZE_MAX; size++) {
		memset(p, CANARY, PAGES);
		prepare(variant->name, p, size);
		ASSERT_EQ(size < variant->min_size ? EINVAL : 0,
			  call(self->fd, variant->cmd, p)) {
			TH_LOG("size %u", size);
		}
		/* Nothing is written behind the structure. */
		for (i = size < 4 ? 4 : size; i < size + 256; i++)
			ASSERT_EQ(CANARY, p[i]);
		/* What the kernel does not know stays zero. */
		for (i = variant->size; i < size; i++)
			ASSERT_EQ(0, p[i]);
	}
	for (size = MEMQUOTA_IOCTL_SIZE_MAX + 1; size; size <<= 1) {
		prepare(variant->name, p, size);
		EXPECT_EQ(E2BIG, call(self->fd, variant->cmd, p));
	}
	prepare(variant->name, p, UINT32_MAX);
	EXPECT_EQ(E2BIG, call(self->fd, variant->cmd, p));
}

/* Each byte that the kernel does not know must be zero. */
TEST_F(each, unknown_bytes)
{
	unsigned char *p = self->pages;
	__u32 i;

	for (i = variant->size; i < MEMQUOTA_IOCTL_SIZE_MAX; i++) {
		prepare(variant->name, p, MEMQUOTA_IOCTL_SIZE_MAX);
		p[i] = 1;
		ASSERT_EQ(E2BIG, call(self->fd, variant->cmd, p));
		prepare(variant->name, p, i + 1);
		p[i] = 0x80;
		ASSERT_EQ(E2BIG, call(self->fd, variant->cmd, p));
		/* It is not the structure's. */
		prepare(variant->name, p, i);
		p[i] = 1;
		ASSERT_EQ(0, call(self->fd, variant->cmd, p));
	}
}

/* Each bit of what must be zero, and then nothing is answered. */
TEST_F(each, reserved_bits)
{
	const size_t fields[] = { variant->flags, variant->reserved };
	unsigned char *p = self->pages, before[512];
	__u32 value;
	size_t i, bit;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		for (bit = 0; bit < 32; bit++) {
			value = 1U << bit;
			prepare(variant->name, p, variant->size);
			memcpy(p + fields[i], &value, sizeof(value));
			memcpy(before, p, variant->size);
			EXPECT_EQ(EOPNOTSUPP, call(self->fd, variant->cmd, p));
			EXPECT_EQ(0, memcmp(before, p, variant->size));
		}
}

/* Answers do not depend on what was in their fields. */
TEST_F(each, old_answers)
{
	unsigned char *p = self->pages;
	int i;

	prepare(variant->name, p, variant->size);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, call(self->fd, variant->cmd, p));
}

TEST_F(each, unaligned)
{
	size_t i;

	for (i = 0; i < 16; i++) {
		prepare(variant->name, self->pages + i, variant->size);
		EXPECT_EQ(0, call(self->fd, variant->cmd, self->pages + i));
	}
}

TEST_F(each, unmapped)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *map, *end;
	size_t i;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	end = map + page;
	prepare(variant->name, self->pages, variant->size);
	ASSERT_EQ(0, mprotect(end, page, PROT_NONE));

	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, NULL));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, (void *)1));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, end));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, (void *)-1L));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, (void *)-4096L));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, (void *)(1UL << 63)));

	/* As much of it mapped as @i says. */
	for (i = 0; i < variant->size; i++) {
		memcpy(end - i, self->pages, i);
		EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, end - i));
	}
	memcpy(end - i, self->pages, i);
	EXPECT_EQ(0, call(self->fd, variant->cmd, end - i));
	/* A size that is wrong is found before what is not there. */
	*(__u32 *)(end - 4) = 4;
	EXPECT_EQ(EINVAL, call(self->fd, variant->cmd, end - 4));

	/* Nothing can be answered there. */
	memcpy(map, self->pages, variant->size);
	ASSERT_EQ(0, mprotect(map, page, PROT_READ));
	EXPECT_EQ(EFAULT, call(self->fd, variant->cmd, map));
	munmap(map, 2 * page);
}

static void *flip(void *arg)
{
	__u32 *size = arg;
	int i;

	for (i = 0; i < 1000000; i++)
		__atomic_store_n(size, i & 1 ? 256 : UINT32_MAX,
				 __ATOMIC_RELAXED);
	return NULL;
}

/* The size that is checked is the size that is used. */
TEST_F(each, size_changes_meanwhile)
{
	unsigned char *p = self->pages;
	pthread_t thread;
	int err, i;

	memset(p, CANARY, PAGES);
	prepare(variant->name, p, 256);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, p));
	do {
		err = call(self->fd, variant->cmd, p);
		ASSERT_TRUE(!err || err == E2BIG);
	} while (pthread_tryjoin_np(thread, NULL));
	for (i = 256; i < PAGES; i++)
		ASSERT_EQ(CANARY, p[i]);
}

#ifdef __x86_64__
/* What a 32-bit program would call: the ioctl of the 32-bit system calls. */
static int call32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (cmd), "d" ((long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return -(int)ret;
}

static bool has_call32(void)
{
	static const char user_mode[] = "User Mode Linux";
	char text[4096];
	int status, fd = open("/proc/cpuinfo", O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);
	pid_t pid;

	close(fd);
	text[len > 0 ? len : 0] = 0;
	if (strstr(text, user_mode))
		return false;
	pid = fork();
	if (!pid)
		_exit(call32(-1, 0, NULL) != EBADF);
	return waitpid(pid, &status, 0) == pid && !status;
}

TEST_F(each, from_32_bits)
{
	void *low;

	if (!has_call32())
		SKIP(return, "no 32-bit system calls");
	low = mmap(NULL, PAGES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, low);
	prepare(variant->name, low, variant->size);
	prepare(variant->name, self->pages, variant->size);
	EXPECT_EQ(0, call32(self->fd, variant->cmd, low));
	EXPECT_EQ(0, call(self->fd, variant->cmd, self->pages));
	EXPECT_EQ(0, memcmp(low, self->pages, variant->size));
	EXPECT_EQ(ENOTTY, call32(self->fd, variant->cmd + 0x10, low));
	EXPECT_EQ(EFAULT, call32(self->fd, variant->cmd, NULL));
	munmap(low, PAGES);
}
#endif

TEST_HARNESS_MAIN
