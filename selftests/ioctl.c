// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of /dev/memquota and of its descriptors: how they take structures
 * of every size and at every address; and what the device tells of itself and
 * of the default tracker.
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
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "child.h"
#include "common.h"

#define CANARY		0xa5

FIXTURE(node)
{
	int fd;
};

FIXTURE_SETUP(node)
{
	OPEN_DEVICE(self->fd);
}

FIXTURE_TEARDOWN_PARENT(node)
{
	EXPECT_EQ(0, chown(NODE, 0, 0));
	EXPECT_EQ(0, chmod(NODE, 0600));
}

TEST_F(node, belongs_to_root)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);

	RUN_CHILD() {
		ASSERT_EQ(0, become_user(65534));
		ASSERT_EQ(-1, open(NODE, O_RDONLY));
		ASSERT_EQ(EACCES, errno);
	}
}

/* As uapi/60-memquota.rules has it: for the members of a group alone. */
TEST_F(node, belongs_to_a_group)
{
	struct memquota_ioctl_info info = { .size = sizeof(info) };
	int fd;

	ASSERT_EQ(0, chown(NODE, 0, USER));
	ASSERT_EQ(0, chmod(NODE, 0660));
	RUN_CHILD() {
		ASSERT_EQ(0, setresgid(USER, USER, USER));
		ASSERT_EQ(0, setresuid(OTHER_USER, OTHER_USER, OTHER_USER));
		fd = open(NODE, O_RDWR);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, call(fd, MEMQUOTA_IOCTL_INFO, &info));
	}
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(OTHER_USER));
		ASSERT_EQ(-1, open(NODE, O_RDONLY));
		ASSERT_EQ(EACCES, errno);
	}
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
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0) ==
		    MAP_FAILED);
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
		if (nr < MEMQUOTA_CMD_BASE || nr > MEMQUOTA_CMD_ACCOUNT_LIST)
			EXPECT_EQ(ENOTTY, call(self->fd,
					       _IO(MEMQUOTA_IOCTL_TYPE, nr), &t));
		for (i = 0; i < ARRAY_SIZE(types); i++)
			EXPECT_EQ(ENOTTY, call(self->fd, _IO(types[i], nr), &t));
	}
	/* A known number with a size or a direction is another ioctl. */
	EXPECT_EQ(ENOTTY, call(self->fd, _IOWR(MEMQUOTA_IOCTL_TYPE,
					       MEMQUOTA_CMD_INFO, t), &t));
	EXPECT_EQ(ENOTTY, call(self->fd, _IOR(MEMQUOTA_IOCTL_TYPE,
					      MEMQUOTA_CMD_TRACKER, t), &t));
}

TEST_F(node, info_of_device)
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

TEST_F(node, default_tracker)
{
	struct memquota_ioctl_tracker t;

	ASSERT_EQ(0, get_tracker(self->fd, DEFAULT, &t));
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

/* Limits as they are set, and those that are derived from them. */
TEST_F(node, t2_limits_of_default)
{
	struct memquota_ioctl_tracker t;
	char high[64];

	if (!get_parameter("high", high, sizeof(high)))
		SKIP(return, "no parameters");
	ASSERT_TRUE(set_parameter("high", "512M"));
	EXPECT_EQ(0, get_tracker(self->fd, DEFAULT, &t));
	EXPECT_EQ(512ULL << 20, t.out_high);
	EXPECT_EQ(384ULL << 20, t.out_low_water);
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, t.out_max);

	EXPECT_FALSE(set_parameter("high", "100K"));
	EXPECT_FALSE(set_parameter("high", "many"));
	EXPECT_EQ(0, get_tracker(self->fd, DEFAULT, &t));
	EXPECT_EQ(512ULL << 20, t.out_high);

	EXPECT_TRUE(set_parameter("high", high));
}

TEST_F(node, names_of_trackers)
{
	struct memquota_ioctl_tracker t;

	EXPECT_EQ(EINVAL, get_tracker(self->fd, "", &t));
	EXPECT_EQ(ENOENT, get_tracker(self->fd, "none", &t));
	EXPECT_EQ(ENOENT, get_tracker(self->fd, DEFAULT "x", &t));
	EXPECT_EQ(ENOENT, get_tracker(self->fd, "defaul", &t));
	EXPECT_EQ(ENOENT, get_tracker(self->fd, "%s%n/..", &t));
	EXPECT_EQ(ENOENT, get_tracker(self->fd,
				      "as-long-as-a-name-can-be-at-all", &t));

	/* Bytes behind the terminator are not part of the name. */
	memset(&t, 0, sizeof(t));
	t.size = sizeof(t);
	memset(t.name, 'x', sizeof(t.name));
	memcpy(t.name, DEFAULT, sizeof(DEFAULT));
	EXPECT_EQ(0, call(self->fd, MEMQUOTA_IOCTL_TRACKER, &t));

	memset(t.name, 'x', sizeof(t.name));
	EXPECT_EQ(EINVAL, call(self->fd, MEMQUOTA_IOCTL_TRACKER, &t));
}

/* Each ioctl of each kind of descriptor. */
FIXTURE(each)
{
	int device;
	int account;
	int other;		/* another account, a parent of it */
	int participant;
	int event;
	int fd;			/* the one that takes the ioctl */
	unsigned char *pages;	/* two, of which the second may be unmapped */
	char valid[512];	/* a valid structure */
};

enum kind { DEVICE, ACCOUNT, PARTICIPANT };

FIXTURE_VARIANT(each)
{
	enum kind kind;
	unsigned int cmd;
	size_t size;
	size_t min_size;
	unsigned int flags;	/* the known ones */
	size_t reserved;	/* 0: none */
	size_t reserved2;
	size_t out_fd;		/* 0: none */
	size_t out;		/* first output field; 0: none */
	size_t out_end;
	int expected;		/* result of a valid structure */
};

FIXTURE_VARIANT_ADD(each, info)
{
	.cmd = MEMQUOTA_IOCTL_INFO,
	.size = sizeof(struct memquota_ioctl_info),
	.min_size = 40,
	.reserved = offsetof(struct memquota_ioctl_info, __reserved),
	.out = offsetof(struct memquota_ioctl_info, out_version),
	.out_end = offsetof(struct memquota_ioctl_info, __reserved),
};

FIXTURE_VARIANT_ADD(each, tracker)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER,
	.size = sizeof(struct memquota_ioctl_tracker),
	.min_size = 120,
	.reserved = offsetof(struct memquota_ioctl_tracker, __reserved),
	.reserved2 = offsetof(struct memquota_ioctl_tracker, __reserved2),
	.out = offsetof(struct memquota_ioctl_tracker, out_state),
	.out_end = sizeof(struct memquota_ioctl_tracker),
};

FIXTURE_VARIANT_ADD(each, tracker_create)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER_CREATE,
	.size = sizeof(struct memquota_ioctl_tracker_config),
	.min_size = 128,
	.flags = MEMQUOTA_TRACKER_DISABLED | MEMQUOTA_TRACKER_PROGRAMS,
	.expected = EEXIST,
};

FIXTURE_VARIANT_ADD(each, tracker_configure)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
	.size = sizeof(struct memquota_ioctl_tracker_config),
	.min_size = 128,
	.flags = MEMQUOTA_CONFIGURE_CHECK_ONLY,
	.out = offsetof(struct memquota_ioctl_tracker_config, out_reason),
	.out_end = sizeof(struct memquota_ioctl_tracker_config),
};

FIXTURE_VARIANT_ADD(each, tracker_destroy)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER_DESTROY,
	.size = sizeof(struct memquota_ioctl_tracker_destroy),
	.min_size = 40,
	.expected = EBUSY,
};

FIXTURE_VARIANT_ADD(each, tracker_list)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER_LIST,
	.size = sizeof(struct memquota_ioctl_tracker_list),
	.min_size = 56,
	.out = offsetof(struct memquota_ioctl_tracker_list, out_id),
	.out_end = sizeof(struct memquota_ioctl_tracker_list),
};

FIXTURE_VARIANT_ADD(each, tracker_threshold)
{
	.cmd = MEMQUOTA_IOCTL_TRACKER_THRESHOLD,
	.size = sizeof(struct memquota_ioctl_tracker_threshold),
	.min_size = 64,
	.out_fd = offsetof(struct memquota_ioctl_tracker_threshold, out_fd),
	.out = offsetof(struct memquota_ioctl_tracker_threshold, out_fd),
	.out_end = offsetof(struct memquota_ioctl_tracker_threshold,
			    above_bytes),
};

FIXTURE_VARIANT_ADD(each, account_create)
{
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_CREATE,
	.size = sizeof(struct memquota_ioctl_account_create),
	.min_size = 88,
	.out_fd = offsetof(struct memquota_ioctl_account_create, out_fd),
	.out = offsetof(struct memquota_ioctl_account_create, out_fd),
	.out_end = sizeof(struct memquota_ioctl_account_create),
};

FIXTURE_VARIANT_ADD(each, account_open)
{
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_OPEN,
	.size = sizeof(struct memquota_ioctl_account_open),
	.min_size = 56,
	.reserved = offsetof(struct memquota_ioctl_account_open, __reserved),
	.out_fd = offsetof(struct memquota_ioctl_account_open, out_fd),
	.out = offsetof(struct memquota_ioctl_account_open, out_fd),
	.out_end = offsetof(struct memquota_ioctl_account_open, __reserved),
};

FIXTURE_VARIANT_ADD(each, account_list)
{
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_LIST,
	.size = sizeof(struct memquota_ioctl_account_list),
	.min_size = 136,
	.reserved = offsetof(struct memquota_ioctl_account_list, __reserved),
	.out = offsetof(struct memquota_ioctl_account_list, out_id),
	.out_end = sizeof(struct memquota_ioctl_account_list),
};

FIXTURE_VARIANT_ADD(each, account)
{
	.kind = ACCOUNT,
	.cmd = MEMQUOTA_IOCTL_ACCOUNT,
	.size = sizeof(struct memquota_ioctl_account),
	.min_size = 136,
	.reserved = offsetof(struct memquota_ioctl_account, __reserved),
	.out = offsetof(struct memquota_ioctl_account, out_id),
	.out_end = offsetof(struct memquota_ioctl_account, __reserved),
};

FIXTURE_VARIANT_ADD(each, account_set_max)
{
	.kind = ACCOUNT,
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_SET_MAX,
	.size = sizeof(struct memquota_ioctl_account_set_max),
	.min_size = 16,
};

FIXTURE_VARIANT_ADD(each, account_add_parent)
{
	.kind = ACCOUNT,
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT,
	.size = sizeof(struct memquota_ioctl_account_add_parent),
	.min_size = 16,
	.reserved = offsetof(struct memquota_ioctl_account_add_parent,
			     __reserved),
	.expected = EEXIST,
};

FIXTURE_VARIANT_ADD(each, account_threshold)
{
	.kind = ACCOUNT,
	.cmd = MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
	.size = sizeof(struct memquota_ioctl_account_threshold),
	.min_size = 32,
	.out_fd = offsetof(struct memquota_ioctl_account_threshold, out_fd),
	.out = offsetof(struct memquota_ioctl_account_threshold, out_fd),
	.out_end = offsetof(struct memquota_ioctl_account_threshold,
			    above_bytes),
};

FIXTURE_VARIANT_ADD(each, join)
{
	.kind = ACCOUNT,
	.cmd = MEMQUOTA_IOCTL_JOIN,
	.size = sizeof(struct memquota_ioctl_join),
	.min_size = 48,
	.flags = MEMQUOTA_JOIN_COLLAPSING,
	.reserved = offsetof(struct memquota_ioctl_join, __reserved),
	.out_fd = offsetof(struct memquota_ioctl_join, out_fd),
	.out = offsetof(struct memquota_ioctl_join, out_fd),
	.out_end = offsetof(struct memquota_ioctl_join, __reserved),
};

FIXTURE_VARIANT_ADD(each, charge)
{
	.kind = PARTICIPANT,
	.cmd = MEMQUOTA_IOCTL_CHARGE,
	.size = sizeof(struct memquota_ioctl_charge),
	.min_size = 24,
	.flags = MEMQUOTA_CHARGE_WAIT,
};

FIXTURE_VARIANT_ADD(each, uncharge)
{
	.kind = PARTICIPANT,
	.cmd = MEMQUOTA_IOCTL_UNCHARGE,
	.size = sizeof(struct memquota_ioctl_uncharge),
	.min_size = 16,
};

FIXTURE_VARIANT_ADD(each, oldest)
{
	.kind = PARTICIPANT,
	.cmd = MEMQUOTA_IOCTL_OLDEST,
	.size = sizeof(struct memquota_ioctl_oldest),
	.min_size = 16,
};

FIXTURE_VARIANT_ADD(each, answer)
{
	.kind = PARTICIPANT,
	.cmd = MEMQUOTA_IOCTL_ANSWER,
	.size = sizeof(struct memquota_ioctl_answer),
	.min_size = 24,
	.flags = MEMQUOTA_ANSWER_COLLAPSE,
	.expected = ENOENT,
};

#define PAGES	(2 * MEMQUOTA_IOCTL_SIZE_MAX)
#define EACH	"each"

/* Set the fields of a valid structure that are not zero. */
static void fill_fields(unsigned int cmd, void *p, int event, int parent,
			uint64_t id)
{
	union {
		struct memquota_ioctl_tracker tracker;
		struct memquota_ioctl_tracker_threshold tracker_threshold;
		struct memquota_ioctl_account_create account_create;
		struct memquota_ioctl_account_open account_open;
		struct memquota_ioctl_account_list account_list;
		struct memquota_ioctl_account_set_max account_set_max;
		struct memquota_ioctl_account_add_parent account_add_parent;
		struct memquota_ioctl_account_threshold account_threshold;
		struct memquota_ioctl_join join;
		struct memquota_ioctl_charge charge;
		struct memquota_ioctl_oldest oldest;
		struct memquota_ioctl_answer answer;
	} *u = p;

	switch (cmd) {
	case MEMQUOTA_IOCTL_TRACKER:
	case MEMQUOTA_IOCTL_TRACKER_CREATE:
	case MEMQUOTA_IOCTL_TRACKER_DESTROY:
		/* Their names are at the same offset. */
		set_name(u->tracker.name, DEFAULT);
		break;
	case MEMQUOTA_IOCTL_TRACKER_CONFIGURE:
		set_name(u->tracker.name, EACH);
		break;
	case MEMQUOTA_IOCTL_TRACKER_THRESHOLD:
		set_name(u->tracker_threshold.name, EACH);
		u->tracker_threshold.event_fd = event;
		u->tracker_threshold.above_bytes = 1;
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_CREATE:
		set_name(u->account_create.tracker, EACH);
		set_name(u->account_create.name, "a");
		u->account_create.parent_fd = parent;
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_OPEN:
		set_name(u->account_open.tracker, EACH);
		u->account_open.id = id;
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_LIST:
		set_name(u->account_list.tracker, EACH);
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_SET_MAX:
		u->account_set_max.max = MEMQUOTA_IOCTL_UNLIMITED;
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT:
		u->account_add_parent.parent_fd = parent;
		break;
	case MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD:
		u->account_threshold.event_fd = event;
		u->account_threshold.above_bytes = 1;
		break;
	case MEMQUOTA_IOCTL_JOIN:
		set_name(u->join.name, "p");
		break;
	case MEMQUOTA_IOCTL_CHARGE:
		u->charge.bytes = 1;
		break;
	case MEMQUOTA_IOCTL_OLDEST:
		u->oldest.oldest_ns = 1;
		break;
	case MEMQUOTA_IOCTL_ANSWER:
		u->answer.id = 1;
		break;
	}
}

FIXTURE_SETUP(each)
{
	struct memquota_ioctl_account account;

	OPEN_DEVICE(self->device);
	ASSERT_EQ(0, create_tracker(self->device, EACH, 0, 0, 0));
	self->account = create_account(self->device, EACH, "account", -1);
	ASSERT_GE(self->account, 0);
	self->other = create_account(self->device, EACH, "other", -1);
	ASSERT_GE(self->other, 0);
	ASSERT_EQ(0, add_parent(self->account, self->other));
	self->participant = join(self->account, "participant", 0);
	ASSERT_GE(self->participant, 0);
	self->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(self->event, 0);
	self->fd = variant->kind == DEVICE ? self->device :
		   variant->kind == ACCOUNT ? self->account :
		   self->participant;
	ASSERT_EQ(0, get_account(self->account, &account));
	fill_fields(variant->cmd, self->valid, self->event, self->other,
		    account.out_id);
	self->pages = mmap(NULL, PAGES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->pages != MAP_FAILED);
}

FIXTURE_TEARDOWN(each)
{
	munmap(self->pages, PAGES);
	close(self->event);
	close(self->participant);
	close(self->other);
	close(self->account);
	EXPECT_EQ(0, destroy_tracker(self->device, EACH));
	close(self->device);
}

/* Copy a valid structure to @p, with a size of @size bytes. */
static void copy_valid(const char *valid, void *p, __u32 size)
{
	char whole[MEMQUOTA_IOCTL_SIZE_MAX] = { };
	size_t len = size < sizeof(whole) ? size : sizeof(whole);

	memcpy(whole, valid, 512);
	memcpy(whole, &size, sizeof(size));
	memcpy(p, whole, len < sizeof(size) ? sizeof(size) : len);
}

/* Call, and close the descriptor that the ioctl made. */
static __attribute__((noinline))
int call_each(int fd, unsigned int cmd, void *arg, size_t out_fd)
{
	int err = ioctl(fd, cmd, arg) ? errno : 0;

	if (!err && out_fd)
		close(*(__s32 *)(arg + out_fd));
	return err;
}

#define CALL(arg)	call_each(self->fd, variant->cmd, (arg), variant->out_fd)

TEST_F(each, all_sizes)
{
	unsigned char *p = self->pages;
	__u32 size, i;

	for (size = 0; size <= MEMQUOTA_IOCTL_SIZE_MAX; size++) {
		memset(p, CANARY, PAGES);
		copy_valid(self->valid, p, size);
		ASSERT_EQ(size < variant->min_size ? EINVAL : variant->expected,
			  CALL(p)) {
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
		copy_valid(self->valid, p, size);
		EXPECT_EQ(E2BIG, CALL(p));
	}
	copy_valid(self->valid, p, UINT32_MAX);
	EXPECT_EQ(E2BIG, CALL(p));
}

/* Each byte that the kernel does not know must be zero. */
TEST_F(each, unknown_bytes)
{
	unsigned char *p = self->pages;
	__u32 i;

	for (i = variant->size; i < MEMQUOTA_IOCTL_SIZE_MAX; i++) {
		copy_valid(self->valid, p, MEMQUOTA_IOCTL_SIZE_MAX);
		p[i] = 1;
		ASSERT_EQ(E2BIG, CALL(p));
		copy_valid(self->valid, p, i + 1);
		p[i] = 0x80;
		ASSERT_EQ(E2BIG, CALL(p));
		/* A byte behind the structure is not read. */
		copy_valid(self->valid, p, i);
		p[i] = 1;
		ASSERT_EQ(variant->expected, CALL(p));
	}
}

/* A refused structure is not written to. */
TEST_F(each, reserved_bits)
{
	const size_t fields[] = {
		offsetof(struct memquota_ioctl_info, flags),
		variant->reserved, variant->reserved2,
	};
	unsigned char *p = self->pages, before[512];
	__u32 value;
	size_t i, bit;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		for (bit = 0; bit < 32 && fields[i]; bit++) {
			value = 1U << bit;
			if (!i && value & variant->flags)
				continue;
			copy_valid(self->valid, p, variant->size);
			memcpy(p + fields[i], &value, sizeof(value));
			memcpy(before, p, variant->size);
			EXPECT_EQ(EOPNOTSUPP, CALL(p)) {
				TH_LOG("offset %zu, bit %zu", fields[i], bit);
			}
			EXPECT_EQ(0, memcmp(before, p, variant->size));
		}
}

/* What was in the output fields does not show in the output. */
TEST_F(each, output_is_overwritten)
{
	const bool has_id = variant->cmd == MEMQUOTA_IOCTL_ACCOUNT_CREATE;
	unsigned char *p = self->pages, *q = p + MEMQUOTA_IOCTL_SIZE_MAX;
	const size_t fields[] = { variant->reserved, variant->reserved2 };
	size_t i, end = variant->out_end;

	copy_valid(self->valid, p, variant->size);
	copy_valid(self->valid, q, variant->size);
	if (variant->out) {
		memset(p + variant->out, 0, end - variant->out);
		memset(q + variant->out, 0xff, end - variant->out);
	}
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i])
			memset(q + fields[i], 0, sizeof(__u32));
	EXPECT_EQ(variant->expected, CALL(p));
	EXPECT_EQ(variant->expected, CALL(q));
	/* Ids are never used again. */
	if (variant->out && has_id)
		end = offsetof(struct memquota_ioctl_account_create, out_id);
	EXPECT_EQ(0, memcmp(p, q, variant->out ? end : variant->size));
}

TEST_F(each, unaligned_structures)
{
	size_t i;

	for (i = 0; i < 16; i++) {
		copy_valid(self->valid, self->pages + i, variant->size);
		EXPECT_EQ(variant->expected, CALL(self->pages + i));
	}
}

TEST_F(each, unmapped_structures)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *map, *end;
	size_t i;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	end = map + page;
	copy_valid(self->valid, self->pages, variant->size);
	ASSERT_EQ(0, mprotect(end, page, PROT_NONE));

	EXPECT_EQ(EFAULT, CALL(NULL));
	EXPECT_EQ(EFAULT, CALL((void *)1));
	EXPECT_EQ(EFAULT, CALL(end));
	EXPECT_EQ(EFAULT, CALL((void *)-1L));
	EXPECT_EQ(EFAULT, CALL((void *)-4096L));
	EXPECT_EQ(EFAULT, CALL((void *)(uintptr_t)(1ULL << 63)));

	/* The first @i bytes are mapped. */
	for (i = 0; i < variant->size; i++) {
		memcpy(end - i, self->pages, i);
		EXPECT_EQ(EFAULT, CALL(end - i));
	}
	memcpy(end - i, self->pages, i);
	EXPECT_EQ(variant->expected, CALL(end - i));
	/* A wrong size is found before the unmapped part. */
	*(__u32 *)(end - 4) = 4;
	EXPECT_EQ(EINVAL, CALL(end - 4));

	/* Output cannot be written. */
	memcpy(map, self->pages, variant->size);
	ASSERT_EQ(0, mprotect(map, page, PROT_READ));
	EXPECT_EQ(variant->out ? EFAULT : variant->expected, CALL(map));
	munmap(map, 2 * page);
}

static void *flip_size(void *arg)
{
	__u32 *size = arg;
	int i;

	for (i = 0; i < 1000000; i++)
		__atomic_store_n(size, i & 1 ? 256 : UINT32_MAX,
				 __ATOMIC_RELAXED);
	return NULL;
}

/* The kernel reads the size once. */
TEST_F(each, size_changes_meanwhile)
{
	unsigned char *p = self->pages;
	pthread_t thread;
	int err, i;

	memset(p, CANARY, PAGES);
	copy_valid(self->valid, p, 256);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip_size, p));
	do {
		err = CALL(p);
		ASSERT_TRUE(err == variant->expected || err == E2BIG);
	} while (pthread_tryjoin_np(thread, NULL));
	for (i = 256; i < PAGES; i++)
		ASSERT_EQ(CANARY, p[i]);
}

TEST_HARNESS_MAIN
