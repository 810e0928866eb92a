// SPDX-License-Identifier: GPL-2.0
/*
 * What one user's programs may hold in all (U2): objects, and bytes.
 *
 * Objects are counted as they come and go. Bytes are counted in two steps, so
 * that the programs of a user do not meet at one counter with every charge:
 * participants have purses, filled from the user's counter, and
 *
 *	user->bytes = sum of what participants hold + sum of their purses
 *
 * The limit is exact all the same. The counter is raised under user->lock
 * alone; who would pass the limit empties all purses under that lock first,
 * and is refused only if what is held, itself, leaves no room. A purse gets
 * more than is asked for only as far as the limit allows.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include "user.h"

/* Sums of two do not wrap. */
#define BYTES_MAX		((u64)S64_MAX / 2)

struct memquota_user {
	kuid_t uid;			/* const */
	struct hlist_node node;		/* users_lock */
	unsigned int objects;		/* users_lock; 0: it is freed */
	struct mutex lock;		/* inside users_lock */
	atomic64_t bytes;		/* raised under lock */
	struct list_head purses;	/* lock */
};

static DEFINE_MUTEX(users_lock);
static DEFINE_HASHTABLE(users, 6);

static unsigned int user_objects = 1024;
module_param(user_objects, uint, 0644);
MODULE_PARM_DESC(user_objects, "accounts, participants and thresholds that one user's programs can have (1024)");

static u64 user_bytes = 64 << 20;

/* What purses hold goes back, so that the counter is what is held. */
static void empty_purses(struct memquota_user *user)
{
	struct memquota_purse *purse;

	lockdep_assert_held(&user->lock);
	list_for_each_entry(purse, &user->purses, purses) {
		atomic64_sub(atomic64_xchg(&purse->bytes, 0), &user->bytes);
		cond_resched();
	}
}

static int set_user_bytes(const char *val, const struct kernel_param *kp)
{
	struct memquota_user *user;
	char *end;
	u64 bytes;
	int i;

	bytes = memparse(val, &end);
	if (end == val || (*end && *end != '\n'))
		return -EINVAL;
	mutex_lock(&users_lock);
	WRITE_ONCE(user_bytes, bytes);
	/* A lower limit holds at once, for what is in purses, too. */
	hash_for_each(users, i, user, node) {
		mutex_lock(&user->lock);
		empty_purses(user);
		mutex_unlock(&user->lock);
	}
	mutex_unlock(&users_lock);
	return 0;
}

static int get_user_bytes(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu\n", READ_ONCE(user_bytes));
}

static const struct kernel_param_ops user_bytes_ops = {
	.set = set_user_bytes,
	.get = get_user_bytes,
};

module_param_cb(user_bytes, &user_bytes_ops, NULL, 0644);
MODULE_PARM_DESC(user_bytes, "bytes (K, M, G) that one user's programs can hold in all (64M)");

bool memquota_privileged(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
}

static struct memquota_user *user_of(kuid_t uid)
{
	struct memquota_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;

	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->uid = uid;
	mutex_init(&user->lock);
	INIT_LIST_HEAD(&user->purses);
	hash_add(users, &user->node, __kuid_val(uid));
	return user;
}

static void free_unused(struct memquota_user *user)
{
	lockdep_assert_held(&users_lock);
	if (!user->objects) {
		hash_del(&user->node);
		kfree(user);
	}
}

/*
 * Count one more object for whoever asks; NULL: not counted, since privileged.
 * Returns -EDQUOT or -ENOMEM if it cannot be.
 */
struct memquota_user *memquota_user_get(void)
{
	struct memquota_user *user;

	if (memquota_privileged())
		return NULL;
	mutex_lock(&users_lock);
	user = user_of(current_uid());
	if (IS_ERR(user))
		goto out;
	if (user->objects < READ_ONCE(user_objects)) {
		user->objects++;
	} else {
		free_unused(user);
		user = ERR_PTR(-EDQUOT);
	}
out:
	mutex_unlock(&users_lock);
	return user;
}

/* One object less. */
void memquota_user_put(struct memquota_user *user)
{
	if (!user)
		return;
	mutex_lock(&users_lock);
	user->objects--;
	free_unused(user);
	mutex_unlock(&users_lock);
}

/* The purse keeps @user for as long as its participant counts as an object. */
void memquota_purse_open(struct memquota_purse *purse,
			 struct memquota_user *user)
{
	purse->user = user;
	if (!user)
		return;
	mutex_lock(&user->lock);
	list_add(&purse->purses, &user->purses);
	mutex_unlock(&user->lock);
}

/* The participant is gone, with all that it held. */
void memquota_purse_close(struct memquota_purse *purse, u64 held)
{
	struct memquota_user *user = purse->user;

	if (!user)
		return;
	mutex_lock(&user->lock);
	list_del(&purse->purses);
	atomic64_sub(atomic64_read(&purse->bytes) + held, &user->bytes);
	mutex_unlock(&user->lock);
}

/* Take what the purse does not have. */
int memquota_purse_refill(struct memquota_purse *purse, u64 bytes)
{
	struct memquota_user *user = purse->user;
	int err = 0;
	u64 max;

	mutex_lock(&user->lock);
	max = min(READ_ONCE(user_bytes), BYTES_MAX);
	if (bytes > max) {
		err = -EDQUOT;
		goto out;
	}
	if (atomic64_read(&user->bytes) + bytes + MEMQUOTA_PURSE_FILL <= max) {
		atomic64_add(bytes + MEMQUOTA_PURSE_FILL, &user->bytes);
		atomic64_add(MEMQUOTA_PURSE_FILL, &purse->bytes);
		goto out;
	}
	if (atomic64_read(&user->bytes) + bytes > max)
		empty_purses(user);
	if (atomic64_read(&user->bytes) + bytes > max)
		err = -EDQUOT;
	else
		atomic64_add(bytes, &user->bytes);
out:
	mutex_unlock(&user->lock);
	return err;
}

/* The purse has grown too full: some of it goes back. */
void memquota_purse_settle(struct memquota_purse *purse)
{
	s64 old = atomic64_read(&purse->bytes);

	do {
		if (old <= MEMQUOTA_PURSE_MAX)
			return;
	} while (!atomic64_try_cmpxchg(&purse->bytes, &old,
				       MEMQUOTA_PURSE_FILL));
	atomic64_sub(old - MEMQUOTA_PURSE_FILL, &purse->user->bytes);
}
