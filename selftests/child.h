/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Child processes of a test case, which report through the harness.
 *
 * TEST_F() shares its _metadata with all processes that it forks: a failed
 * EXPECT_*() or ASSERT_*() of a child prints its location and fails the case.
 * A failed ASSERT_*() ends the child alone. It would also run a
 * FIXTURE_TEARDOWN(), with the child's rights and beside the running case, so
 * such cases need a FIXTURE_TEARDOWN_PARENT().
 */
#ifndef _SELFTESTS_MEMQUOTA_CHILD_H
#define _SELFTESTS_MEMQUOTA_CHILD_H

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* Fork a child that is killed when its parent ends. Return as fork() does. */
static inline pid_t child_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
	}
	return pid;
}

/* With a call in its condition, clang does not warn of the loops below. */
static inline bool in_child(pid_t pid)
{
	return !pid;
}

/* Wait until a child has ended. Return its status, as of wait(), or -1. */
static inline int child_wait(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Send a signal to a child. Return the signal that ended it, or 0. */
static inline int child_kill(pid_t pid, int signal)
{
	int status;

	kill(pid, signal);
	status = child_wait(pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/*
 * Run the following block in a child, whose @pid the parent gets. The parent
 * goes on meanwhile, until it calls child_wait() or child_kill(). Do not leave
 * the block by break or return.
 */
#define START_CHILD(pid)						\
	for (pid_t _child = ({						\
			pid_t _pid = child_fork();			\
									\
			ASSERT_LE(0, _pid);				\
			/* The child may share the variable. */		\
			if (_pid)					\
				(pid) = _pid;				\
			_pid;						\
		}); in_child(_child); _exit(0))

/* Run the following block in a child and wait until it has ended. */
#define RUN_CHILD()							\
	for (pid_t _child = ({						\
			pid_t _pid = child_fork();			\
									\
			ASSERT_LE(0, _pid);				\
			if (_pid)					\
				EXPECT_EQ(0, child_wait(_pid));		\
			_pid;						\
		}); in_child(_child); _exit(0))

/* Give up root's rights for good. Return 0 or the errno. */
static inline int become_user(uid_t uid)
{
	return setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ? errno : 0;
}

#endif /* _SELFTESTS_MEMQUOTA_CHILD_H */
