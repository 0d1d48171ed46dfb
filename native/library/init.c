/* Pid 1 of a job's pid namespace: reaps what is orphaned, tells how the job's main process ended, and takes all the rest
 * of the namespace down with it. It is trusted: the job can neither signal nor trace it. */
#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/poll.h>
#include <signal.h>
#include <linux/wait.h>

#include "../confine/capabilities.h"
#include "../include/pinfold.h"
#include "listener.h"
#include "shed.h"

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

/* What is left of its privileges: to end a job that has another id, and to read the text of a call that it is refused. */
#define KEPT (1ull << CAP_KILL | 1ull << CAP_SYS_PTRACE)

enum { CHILDREN, CONTROL, HANDOVER, LISTENER, SOURCE_COUNT };

static void take_listener(struct pollfd *sources) {
  sources[LISTENER].fd = listener_take();
  SYS(close, sources[HANDOVER].fd);
  sources[HANDOVER].fd = -1; /* poll passes over it */
}

/* Once nobody is left under the filter there is nothing to be told: the kernel hangs up, and would do so for ever. */
static void answer(struct pollfd *source) {
  if (source->revents & POLLIN) listener_answer(source->fd);
  else descriptor_close(&source->fd);
}

void pinfold_init(int pid) {
  int status = 0;
  shed_interpreter(); /* before it maps anything of its own */
  int children = pid > 0 ? watch_children() : -1;
  if (children < 0 || capabilities_keep(KEPT) < 0 || listener_open() < 0) {
    report_failure(CONTROL_SOCKET, &(struct failure){STAGE_ENTER, STEP_SESSION, pid > 0 ? EPERM : EAGAIN, "init"});
    leave(1);
  }
  for (int fd = 0; fd < CONTROL_SOCKET; fd++) SYS(close, fd); /* or the job's readers would never see the end */
  SYS(close, LISTENER_TO_INIT);
  struct pollfd sources[SOURCE_COUNT] = {
      {children, POLLIN, 0}, {CONTROL_SOCKET, REMOTE_CLOSED, 0}, {LISTENER_FROM_JOB, POLLIN, 0}, {-1, POLLIN, 0}};
  while (!reap(pid, &status)) {
    long ready = SYS(ppoll, sources, COUNT_OF(sources), 0, 0, 0);
    if (ready < 0 && ready != -EINTR) leave(1);
    if (sources[CONTROL].revents) leave(1); /* the supervisor is gone: nothing may survive it */
    unsigned char ignored[128];
    if (sources[CHILDREN].revents) SYS(read, children, ignored, sizeof ignored);
    if (sources[LISTENER].revents) answer(&sources[LISTENER]);
    if (sources[HANDOVER].revents) take_listener(sources);
  }
  end_the_rest();
  report(CONTROL_SOCKET, &(struct message){.kind = MESSAGE_ENDED, .value = status});
  leave(0);
}
