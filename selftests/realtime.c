// SPDX-License-Identifier: GPL-2.0
/*
 * A real-time task that keeps its CPU delays nothing that its charges and
 * uncharges set off. With PREEMPT_RT most of what the kernel defers runs in
 * threads of that CPU, which such a task starves.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "common.h"

#define RUNTIME		"/proc/sys/kernel/sched_rt_runtime_us"
/* How long the real-time task spins if nothing stops it. */
#define SPIN_MS		8000
/* Far less than that, but enough for a busy machine. */
#define START_MS	3000

struct spinner {
	pthread_t thread;
	int cpu;
	int (*call)(int fd);	/* what the task does before it spins */
	int fd;
	int err;
	bool spinning;
	bool stop;
};

static void *call_and_spin(void *arg)
{
	struct spinner *s = arg;
	uint64_t until = now_ns() + SPIN_MS * 1000000ULL;

	s->err = s->call(s->fd);
	__atomic_store_n(&s->spinning, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED) &&
	       now_ns() < until)
		;
	__atomic_store_n(&s->spinning, false, __ATOMIC_RELEASE);
	return NULL;
}

FIXTURE(realtime)
{
	int device;
	int account;
	int fd;			/* a participant of @account */
	int cpu;		/* of the real-time task */
	char runtime[32];
};

/* Keep to other CPUs than the last. Return the last, or -1 if there is one. */
static int leave_last_cpu(void)
{
	cpu_set_t cpus;
	int cpu;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) < 2)
		return -1;
	for (cpu = CPU_SETSIZE - 1; !CPU_ISSET(cpu, &cpus); cpu--)
		;
	CPU_CLR(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -1 : cpu;
}

FIXTURE_SETUP(realtime)
{
	OPEN_DEVICE(self->device);
	self->cpu = leave_last_cpu();
	if (self->cpu < 0)
		SKIP(return, "needs two CPUs");
	ASSERT_EQ(0, read_file(RUNTIME, self->runtime, sizeof(self->runtime)));
	/* Else the kernel takes the CPU away for 5 % of the time. */
	if (write_file(RUNTIME, "-1"))
		SKIP(return, "cannot set " RUNTIME);
	ASSERT_EQ(0, create_tests(self->device));
	self->account = create_account(self->device, TRACKER, "account", -1);
	ASSERT_GE(self->account, 0);
	self->fd = join(self->account, "participant", 0);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(realtime)
{
	EXPECT_EQ(0, write_file(RUNTIME, self->runtime));
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
}

static void start_spinner(struct __test_metadata *_metadata, struct spinner *s)
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(s->cpu, &cpus);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ASSERT_EQ(0, pthread_create(&s->thread, &attr, call_and_spin, s));
	pthread_attr_destroy(&attr);
}

/* Return whether the task has been spinning since its call. */
static bool stop_spinner(struct spinner *s)
{
	bool spinning = __atomic_load_n(&s->spinning, __ATOMIC_ACQUIRE);

	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
	return spinning && !s->err;
}

static int charge_2m(int fd)
{
	return charge(fd, 2 * MIB);
}

static int uncharge_1m(int fd)
{
	return uncharge(fd, MIB);
}

/* R1 */
TEST_F(realtime, r1_reclaim_starts_while_the_charger_spins)
{
	struct spinner s = { .cpu = self->cpu, .call = charge_2m,
			     .fd = self->fd };
	struct pollfd request = { .fd = self->fd, .events = POLLIN };

	ASSERT_EQ(0, configure_tests(self->device, 0, MIB, 0));
	start_spinner(_metadata, &s);
	EXPECT_EQ(1, poll(&request, 1, START_MS));
	EXPECT_TRUE(stop_spinner(&s));
}

/* T10 */
TEST_F(realtime, t10_a_waiter_is_woken_while_the_uncharger_spins)
{
	struct spinner s = { .cpu = self->cpu, .call = uncharge_1m,
			     .fd = self->fd };
	int fd = join(self->account, "waiter", 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, configure_tests(self->device, 2 * MIB, 0, 0));
	ASSERT_EQ(0, charge(self->fd, 2 * MIB));
	start_spinner(_metadata, &s);
	EXPECT_EQ(0, charge_wait(fd, MIB, START_MS * 1000000ULL));
	EXPECT_TRUE(stop_spinner(&s));
}

TEST_F(realtime, a_threshold_is_signalled_while_the_charger_spins)
{
	struct spinner s = { .cpu = self->cpu, .call = charge_2m,
			     .fd = self->fd };
	struct pollfd event = { .fd = eventfd(0, EFD_CLOEXEC),
				.events = POLLIN };

	ASSERT_GE(event.fd, 0);
	ASSERT_GE(set_account_threshold(self->account, event.fd, MIB, MIB), 0);
	start_spinner(_metadata, &s);
	EXPECT_EQ(1, poll(&event, 1, START_MS));
	EXPECT_TRUE(stop_spinner(&s));
}

TEST_HARNESS_MAIN
