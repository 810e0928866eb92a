// SPDX-License-Identifier: GPL-2.0
/*
 * The limits on what the programs of one user hold: objects, and bytes.
 *
 * Objects are counted one by one. Bytes are counted in two steps, so that
 * charges of one user's participants do not contend for one counter: each
 * participant has a stock, filled from the user's counter, and
 *
 *	user->bytes = sum of what participants hold + sum of their stocks
 *
 * Stocks do not make the limit less exact. The counter is raised under
 * user->lock alone. A refill that would pass the limit first drains all stocks
 * under that lock, so it is refused only if what participants hold leaves no
 * room. A refill puts more into the stock than is charged only if the limit
 * allows it.
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

/* The sum of two such values does not wrap. */
#define BYTES_MAX		((u64)S64_MAX / 2)

struct memquota_user {
	kuid_t uid;			/* const */
	struct hlist_node node;		/* users_lock */
	unsigned int objects;		/* users_lock; freed with the last */
	struct mutex lock;		/* inside users_lock */
	atomic64_t bytes;		/* raised under lock */
	struct list_head stocks;	/* lock */
};

static DEFINE_MUTEX(users_lock);
static DEFINE_HASHTABLE(users, 6);

static unsigned int user_objects = 1024;
module_param(user_objects, uint, 0644);
MODULE_PARM_DESC(user_objects, "accounts, participants and thresholds that one user's programs can have (1024)");

static u64 user_bytes = 64 << 20;

/* Drain all stocks, so that the counter is what participants hold. */
static void user_drain_stocks_locked(struct memquota_user *user)
{
	struct memquota_user_stock *stock;

	lockdep_assert_held(&user->lock);
	list_for_each_entry(stock, &user->stocks, node) {
		atomic64_sub(atomic64_xchg(&stock->bytes, 0), &user->bytes);
		cond_resched();
	}
}

static int user_bytes_set(const char *val, const struct kernel_param *kp)
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
	/* A lower limit applies at once, to stocks too. */
	hash_for_each(users, i, user, node) {
		mutex_lock(&user->lock);
		user_drain_stocks_locked(user);
		mutex_unlock(&user->lock);
	}
	mutex_unlock(&users_lock);
	return 0;
}

static int user_bytes_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu\n", READ_ONCE(user_bytes));
}

static const struct kernel_param_ops user_bytes_ops = {
	.set = user_bytes_set,
	.get = user_bytes_get,
};

module_param_cb(user_bytes, &user_bytes_ops, NULL, 0644);
MODULE_PARM_DESC(user_bytes, "bytes (K, M, G) that one user's programs can hold in all (64M)");

/* Return whether the caller may manage trackers and is exempt from limits. */
bool memquota_privileged(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
}

/* Find or create a user. */
static struct memquota_user *user_lookup_locked(kuid_t uid)
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
	INIT_LIST_HEAD(&user->stocks);
	hash_add(users, &user->node, __kuid_val(uid));
	return user;
}

static void user_free_unused_locked(struct memquota_user *user)
{
	lockdep_assert_held(&users_lock);
	if (!user->objects) {
		hash_del(&user->node);
		kfree(user);
	}
}

/*
 * Count one more object for the caller's user. Return the user, to be given to
 * memquota_user_put(); NULL if the caller is privileged and nothing is counted;
 * ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct memquota_user *memquota_user_get(void)
{
	struct memquota_user *user;

	if (memquota_privileged())
		return NULL;
	mutex_lock(&users_lock);
	user = user_lookup_locked(current_uid());
	if (IS_ERR(user))
		goto out;
	if (user->objects < READ_ONCE(user_objects)) {
		user->objects++;
	} else {
		user_free_unused_locked(user);
		user = ERR_PTR(-EDQUOT);
	}
out:
	mutex_unlock(&users_lock);
	return user;
}

/* Count one object less. */
void memquota_user_put(struct memquota_user *user)
{
	if (!user)
		return;
	mutex_lock(&users_lock);
	user->objects--;
	user_free_unused_locked(user);
	mutex_unlock(&users_lock);
}

/*
 * Add an empty stock. It stays valid without a reference of its own, since its
 * participant is one of the objects that keep @user.
 */
void memquota_user_stock_open(struct memquota_user_stock *stock,
			      struct memquota_user *user)
{
	stock->user = user;
	if (!user)
		return;
	mutex_lock(&user->lock);
	list_add(&stock->node, &user->stocks);
	mutex_unlock(&user->lock);
}

/* Remove the stock of a participant that has left still holding @held bytes. */
void memquota_user_stock_close(struct memquota_user_stock *stock, u64 held)
{
	struct memquota_user *user = stock->user;

	if (!user)
		return;
	mutex_lock(&user->lock);
	list_del(&stock->node);
	atomic64_sub(atomic64_read(&stock->bytes) + held, &user->bytes);
	mutex_unlock(&user->lock);
}

/*
 * Charge the user for @bytes that the stock does not have, and refill the stock
 * if the limit allows. Return 0, or -EDQUOT. May sleep.
 */
int memquota_user_stock_refill(struct memquota_user_stock *stock, u64 bytes)
{
	struct memquota_user *user = stock->user;
	int err = 0;
	u64 max;

	mutex_lock(&user->lock);
	max = min(READ_ONCE(user_bytes), BYTES_MAX);
	if (bytes > max) {
		err = -EDQUOT;
		goto out;
	}
	if (atomic64_read(&user->bytes) + bytes + MEMQUOTA_USER_STOCK_FILL <=
	    max) {
		atomic64_add(bytes + MEMQUOTA_USER_STOCK_FILL, &user->bytes);
		atomic64_add(MEMQUOTA_USER_STOCK_FILL, &stock->bytes);
		goto out;
	}
	if (atomic64_read(&user->bytes) + bytes > max)
		user_drain_stocks_locked(user);
	if (atomic64_read(&user->bytes) + bytes > max)
		err = -EDQUOT;
	else
		atomic64_add(bytes, &user->bytes);
out:
	mutex_unlock(&user->lock);
	return err;
}

/* Give part of a stock that is above its maximum back to the user. */
void memquota_user_stock_settle(struct memquota_user_stock *stock)
{
	s64 old = atomic64_read(&stock->bytes);

	do {
		if (old <= MEMQUOTA_USER_STOCK_MAX)
			return;
	} while (!atomic64_try_cmpxchg(&stock->bytes, &old,
				       MEMQUOTA_USER_STOCK_FILL));
	atomic64_sub(old - MEMQUOTA_USER_STOCK_FILL, &stock->user->bytes);
}
