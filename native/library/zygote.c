/* The zygote: forks a process on request, which comes out of pinfold_zygote as pid 1 of a new pid namespace. */
#include <asm/errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include "../confine/control_groups.h"
#include "../confine/mounts.h"
#include "../include/pinfold.h"
#include "inside.h"

enum { FD_CONTROL, FD_STDIN, FD_STDOUT, FD_STDERR, FD_DENIALS, FD_OLD_MOUNTS, FD_COUNT };
_Static_assert(FD_OLD_MOUNTS == FORK_DESCRIPTORS, "as many as the order brings");

/* Receives what every job gets. The kernel keeps a packet whole, so a size that differs is a fault. */
static bool receive_setup(int socket) {
  static unsigned char packet[sizeof(struct serve_order) + sizeof inside.filter + sizeof inside.shown + sizeof inside.writable];
  struct serve_order order;
  long got = socket_receive(socket, packet, sizeof packet, NULL, 0, NULL, true);
  if (got < (long)sizeof order) return false;
  memcpy(&order, packet, sizeof order);
  if (order.kind != ORDER_SERVE || order.filter_count > FILTER_MAX || order.shown_count > SHOWN_MAX ||
      order.writable_bytes > WRITABLE_MAX)
    return false;
  size_t filter_bytes = order.filter_count * sizeof *inside.filter, shown_bytes = order.shown_count * sizeof *inside.shown;
  if ((size_t)got != sizeof order + filter_bytes + shown_bytes + order.writable_bytes) return false;
  inside.job_id = order.job_id;
  inside.filter_count = order.filter_count;
  inside.shown_count = order.shown_count;
  inside.writable_bytes = order.writable_bytes;
  inside.network = order.network != 0;
  inside.root_group = order.root_group != 0;
  const unsigned char *at = packet + sizeof order;
  memcpy(inside.filter, at, filter_bytes);
  memcpy(inside.shown, at + filter_bytes, shown_bytes);
  memcpy(inside.writable, at + filter_bytes + shown_bytes, order.writable_bytes);
  return true;
}

/* A sibling of the zygote, not its child: the supervisor itself waits for it, and a zygote's end harms no job. The C
 * library does not learn of this fork; the process only mounts, lets the interpreter fork once more, and then waits. */
static long fork_sibling(void) { return SYS(clone, CLONE_PARENT | CLONE_NEWPID, 0, 0, 0, 0); }

static long take_place(void *context, struct failure *failure) {
  const int *fds = context;
  (void)failure;
  long result = 0;
  /* What is put to 3 closes this copy of the zygote's own socket. Nothing is put where another one still is: they were
   * received above 3, in this order but for the control descriptor, which came first and so alone may lie at 4. */
  static const struct {
    int from, to;
  } moves[] = {{FD_STDIN, 0}, {FD_STDOUT, 1}, {FD_STDERR, 2}, {FD_CONTROL, CONTROL_SOCKET}, {FD_DENIALS, DENIALS_MEMORY}};
  for (size_t i = 0; result >= 0 && i < COUNT_OF(moves); i++) result = SYS(dup3, fds[moves[i].from], moves[i].to, 0);
  return result < 0 ? result : SYS(close_range, DENIALS_MEMORY + 1, ~0u, 0);
}

/* The two ends get the lowest numbers that are free: those next to what has just been put in place. */
static long open_listener_pair(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  int pair[2] = {-1, -1};
  long result = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
  if (result < 0) return result;
  return pair[0] == LISTENER_TO_INIT && pair[1] == LISTENER_FROM_JOB ? 0 : -EBADF;
}

/* First of all, so that everything from here on is counted. */
static long enter_control_groups(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  struct enter_order order;
  int entrances[CONTROLLER_COUNT];
  long got = socket_receive(CONTROL_SOCKET, &order, sizeof order, entrances, CONTROLLER_COUNT, NULL, true);
  if (got != sizeof order || order.kind != ORDER_ENTER) return got < 0 ? got : -EPROTO;
  size_t count = 0;
  while (count < CONTROLLER_COUNT && entrances[count] >= 0) count++;
  long result = control_group_enter(entrances, count);
  for (size_t i = 0; i < count; i++) descriptor_close(&entrances[i]);
  return result;
}

static long own_session(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  long result = SYS(setsid);
  return result < 0 ? result : 0;
}

/* Neither traceable by anybody inside, same id or not, nor visible in /proc (ptrace(2), "dumpable"). Before the job is
 * forked, so that there is no moment at which it could be; the job takes it back for itself. */
static long not_dumpable(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  return SYS(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static long own_namespaces(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  return SYS(unshare, CLONE_NEWNS | CLONE_NEWIPC);
}

static long own_cgroup_namespace(void *context, struct failure *failure) {
  (void)context;
  (void)failure;
  return SYS(unshare, CLONE_NEWCGROUP);
}

static uint64_t scratch_bytes;

static long make_scratch(void *context, struct failure *failure) {
  (void)context;
  return mounts_scratch(scratch_bytes, inside.job_id, failure);
}

static long make_proc(void *context, struct failure *failure) {
  (void)context;
  return mounts_proc(inside.root_group, failure);
}

static long hide_inside(void *context, struct failure *failure) {
  (void)context;
  return mounts_hide_inside(failure);
}

/* The first half of enter: what pid 1 does for the whole pid namespace. The second half is the job's, in job.c. */
static const struct step enter_as_init[] = {
    {STEP_DESCRIPTORS, take_place},
    {STEP_LISTENER, open_listener_pair},
    {STEP_CONTROL_GROUP, enter_control_groups},
    {STEP_SESSION, own_session},
    {STEP_MOUNT_NAMESPACE, own_namespaces},
    {STEP_CGROUP_NAMESPACE, own_cgroup_namespace},
    {STEP_SCRATCH, make_scratch},
    {STEP_PROC, make_proc},
    {STEP_VIEW, hide_inside},
    {STEP_SESSION, not_dumpable},
};

static void become_init(int *fds) {
  struct failure failure = {0};
  if (steps_run(enter_as_init, COUNT_OF(enter_as_init), STAGE_ENTER, fds, &failure) == 0) return;
  /* Before the first step is through, the control socket is still where it was received. */
  report_failure(failure.step == STEP_DESCRIPTORS ? fds[FD_CONTROL] : CONTROL_SOCKET, &failure);
  leave(1);
}

int pinfold_is_awaited(void) { return inside.is_awaited; }

int pinfold_zygote(int fd) {
  if (mounts_drop_scratch() < 0) return -1;
  report(fd, &(struct message){.kind = MESSAGE_READY});
  if (!receive_setup(fd)) return -1;
  for (;;) {
    struct fork_order order;
    int fds[FD_COUNT];
    long got = socket_receive(fd, &order, sizeof order, fds, FD_COUNT, NULL, true);
    bool whole = got == (long)sizeof order && order.kind == ORDER_FORK && fds[FD_DENIALS] >= 0;
    scratch_bytes = whole ? order.scratch_bytes : 0;
    inside.tries_canary = whole && order.flags & FORK_CANARY;
    inside.is_awaited = whole && order.flags & FORK_AWAITED;
    bool releases = got == (long)sizeof order && order.kind == ORDER_RELEASE;
    long pid = whole ? fork_sibling() : -EPROTO;
    if (pid == 0) {
      become_init(fds);
      return 0;
    }
    /* Each later fork would inherit these: closed before the next request is read. */
    for (size_t i = 0; i < FD_COUNT; i++) descriptor_close(&fds[i]);
    if (releases) continue;
    if (!whole) return -1;
    report(fd, &(struct message){.kind = MESSAGE_FORKED, .value = (int32_t)pid});
  }
}
