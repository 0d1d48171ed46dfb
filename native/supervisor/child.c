#include "child.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#define SIGNALS 64

/* As the kernel takes it; all zeros is SIG_DFL. */
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

static void reset_signals(void) {
  const struct kernel_action standard = {0};
  const uint64_t none = 0;
  for (int signal = 1; signal <= SIGNALS; signal++) SYS(rt_sigaction, signal, &standard, 0, sizeof standard.mask);
  SYS(rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

long child_fork(uint32_t supervisor_pid) {
  long pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);
  if (pid != 0) return pid;
  reset_signals();
  SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if ((uint32_t)SYS(getppid) != supervisor_pid) SYS(exit_group, 1); /* it died before the line above */
  return 0;
}

long child_place_descriptors(const int *fds, int count) {
  int moved[8];
  if (count > (int)COUNT_OF(moved)) return -EINVAL;
  /* Up first, so that none is overwritten before its turn. */
  for (int i = 0; i < count; i++) {
    moved[i] = (int)SYS(fcntl, fds[i], F_DUPFD_CLOEXEC, count);
    if (moved[i] < 0) return moved[i];
  }
  for (int i = 0; i < count; i++) {
    long result = SYS(dup3, moved[i], i, 0);
    if (result < 0) return result;
  }
  long result = SYS(close_range, count, ~0u, 0);
  return result < 0 ? result : 0;
}

/* More than fit are killed when the first have ended: proc_pid_children(5) */
#define LIST_BYTES 4096

void child_kill_all(uint32_t own_pid) {
  char list[LIST_BYTES];
  TEXT(path, 64);
  text_add(text_add_number(text_add(&path, "/proc/self/task/"), own_pid), "/children");
  if (file_read(AT_FDCWD, path.start, list, sizeof list) <= 0) return;
  uint64_t pid = 0;
  /* A number that the buffer cut off would be somebody else: each ends with a space. */
  for (const char *at = list; text_number(&at, &pid) && *at == ' '; at++) SYS(kill, pid, SIGKILL);
}
