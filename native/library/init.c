/* Pid 1 of a job's pid namespace: reaps what is orphaned, tells how the job's main process ended, and takes all the rest
 * of the namespace down with it. It is trusted: the job can neither signal nor trace it. */
#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/poll.h>
#include <signal.h>
#include <linux/wait.h>

#include "../confine/capabilities.h"
#include "../include/pinfold.h"
#include "inside.h"

#define REMOTE_CLOSED 0x2000 /* POLLRDHUP */

/* Everything is blocked: the interpreter left handlers, and only for those would pid 1 take a signal from inside. */
static int watch_children(void) {
  const uint64_t every = ~0ull, children = 1ull << (SIGCHLD - 1);
  SYS(rt_sigprocmask, SIG_BLOCK, &every, 0, sizeof every);
  return (int)SYS(signalfd4, -1, &children, sizeof children, 0);
}

/* Reaps all that has ended; true when the main process is among them. */
static bool reap(int main_pid, int *main_status) {
  for (;;) {
    int status = 0;
    long pid = SYS(wait4, -1, &status, WNOHANG | __WALL, 0);
    if (pid <= 0) return false;
    if (pid != main_pid) continue;
    *main_status = status;
    return true;
  }
}

/* The kernel would end them with us, but not add what they used to what we used. */
static void end_the_rest(void) {
  SYS(kill, -1, SIGKILL);
  while (SYS(wait4, -1, 0, __WALL, 0) > 0) continue;
}

void pinfold_init(int pid) {
  int status = 0;
  int children = pid > 0 ? watch_children() : -1;
  /* What is left of its privileges is to end a job that has another id. */
  if (children < 0 || capabilities_keep(1ull << CAP_KILL) < 0) {
    report_failure(CONTROL_SOCKET, &(struct failure){STAGE_ENTER, STEP_SESSION, pid > 0 ? EPERM : EAGAIN, "init"});
    leave(1);
  }
  for (int fd = 0; fd < CONTROL_SOCKET; fd++) SYS(close, fd); /* or the job's readers would never see the end */
  struct pollfd sources[] = {{children, POLLIN, 0}, {CONTROL_SOCKET, REMOTE_CLOSED, 0}};
  while (!reap(pid, &status)) {
    long ready = SYS(ppoll, sources, COUNT_OF(sources), 0, 0, 0);
    if (ready < 0 && ready != -EINTR) leave(1);
    if (sources[1].revents) leave(1); /* the supervisor is gone: nothing may survive it */
    unsigned char ignored[128];
    if (sources[0].revents) SYS(read, children, ignored, sizeof ignored);
  }
  end_the_rest();
  report(CONTROL_SOCKET, MESSAGE_ENDED, status);
  leave(0);
}
