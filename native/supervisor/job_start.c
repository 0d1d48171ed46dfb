#include "job_start.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <sys/socket.h>

#include "../confine/control_groups.h"
#include "../confine/descriptors.h"
#include "host.h"
#include "job_denials.h"
#include "job_kill.h"
#include "job_limits.h"
#include "job_streams.h"
#include "loop.h"
#include "old_mounts.h"
#include "zygote.h"

#define SO_PASSCRED_OPTION 16
#define SMALL_TASK_BYTES 4096

/* PARKED bears the sender's pid as the kernel knows it. */
static long open_control(struct job *job, int *child) {
  int pair[2], on = 1;
  long result = SYS(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  if (result < 0) return result;
  job->control = pair[0];
  *child = pair[1];
  result = SYS(setsockopt, job->control, SOL_SOCKET, SO_PASSCRED_OPTION, &on, sizeof on);
  if (result == 0) result = loop_add(job->control, SOURCE_JOB_CONTROL, job_index(job), job->generation, INTEREST_READ);
  return result;
}

static long join_group(struct job *job) {
  if (job->group >= 0) return 0; /* from a zygote that is gone */
  job->group = control_group_acquire();
  if (job->group < 0) return job->group == -ENOSYS ? 0 : job->group;
  job->memory_event = control_group_memory_event(job->group);
  if (job->memory_event < 0) return 0;
  return loop_add(job->memory_event, SOURCE_JOB_MEMORY, job_index(job), job->generation, INTEREST_READ);
}

/* Waits in the socket until pid 1 is there to read it. */
static long order_enter(struct job *job) {
  const struct enter_order order = {ORDER_ENTER};
  int entrances[CONTROLLER_COUNT];
  size_t count = job->group >= 0 ? control_group_entrances(job->group, entrances) : 0;
  long sent = socket_send(job->control, &order, sizeof order, entrances, count);
  return sent < 0 ? sent : 0;
}

static long lend_denials(struct job *job, int *child) {
  long memory = job_denials_open(job);
  if (memory < 0) return memory;
  long copy = SYS(fcntl, memory, F_DUPFD_CLOEXEC, 0);
  *child = (int)copy;
  return copy < 0 ? copy : 0;
}

long job_open(struct job *job, bool tries_canary) {
  uint32_t flags = (tries_canary ? FORK_CANARY : 0) | (job->run ? FORK_AWAITED : 0);
  int child[FORK_DESCRIPTORS] = {-1, -1, -1, -1, -1};
  long result = join_group(job);
  if (result == 0) result = open_control(job, &child[0]);
  if (result == 0) result = streams_open(job, child + 1);
  if (result == 0) result = order_enter(job);
  if (result == 0) result = lend_denials(job, &child[4]);
  if (result == 0) result = zygote_fork(job->spare_scratch_bytes, flags, child);
  for (size_t i = 0; i < COUNT_OF(child); i++) descriptor_close(&child[i]);
  if (result < 0) {
    job_close_descriptors(job);
    return result;
  }
  static uint32_t fork_sequences;
  job->fork_sequence = ++fork_sequences;
  job->state = JOB_FORKING;
  return 0;
}

/* Writes what the socket takes now. */
static void send_task(struct job *job, const unsigned char *task, size_t length) {
  while (job->task_sent < length) {
    long put = SYS(sendto, job->control, task + job->task_sent, length - job->task_sent, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
    if (put == -EINTR) continue;
    if (put < 0) break; /* full, or the job is gone, which its end will tell */
    job->task_sent += (size_t)put;
  }
}

/* With what fits of a small task: in one packet, or the job would wake twice. A structure into an empty socket is never cut. */
static void send_order(struct job *job, const unsigned char *task, size_t length) {
  unsigned char packet[SMALL_TASK_BYTES];
  size_t begun = length <= sizeof packet - sizeof job->order ? length : 0;
  memcpy(packet, &job->order, sizeof job->order);
  memcpy(packet + sizeof job->order, task, begun);
  long put = SYS(sendto, job->control, packet, sizeof job->order + begun, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
  if (put > (long)sizeof job->order) job->task_sent = (size_t)put - sizeof job->order;
}

static void begin_group(struct job *job) {
  if (job->group < 0) return;
  const struct group_limits limits = {job->limits.memory_bytes, job->limits.processes + 1};
  /* The kernel refuses a limit that the parked job already exceeds. */
  if (control_group_begin(job->group, &limits) < 0) job_kill(job, REASON_MEMORY);
}

void job_hand(struct job *job, const unsigned char *task, size_t length) {
  job->state = JOB_HANDED;
  job->order = (struct task_order){
      .kind = ORDER_TASK,
      .processes = job->limits.processes,
      .open_files = job->limits.open_files,
      .cpu_seconds = (uint32_t)(job->limits.cpu_ns / 1000000000u + 2),
      .task_length = length,
  };
  job_denials_clear(job);
  begin_group(job);
  limits_begin(job);
  streams_begin(job);
  send_order(job, task, length);
  send_task(job, task, length);
  if (job->task_sent == length) {
    job_drop_task(job);
    return;
  }
  if (!job->task && !job_keep_task(job, task, length)) {
    job_fail(job, &(struct failure){STAGE_RESOURCES, STEP_TASK, ENOMEM, ""});
    return;
  }
  loop_change(job->control, SOURCE_JOB_CONTROL, job_index(job), job->generation, INTEREST_READ | INTEREST_WRITE);
}

static void park(struct job *job, job_parked_callback on_parked) {
  job->state = JOB_PARKED;
  if (job->group >= 0) control_group_prepare(job->group);
  on_parked(job);
}

/* It may come before the zygote has told the pid: on a busy machine the zygote is the slower one. */
static bool parked(struct job *job, const struct message *message, int sender, job_parked_callback on_parked) {
  if ((job->state != JOB_FORKING && job->state != JOB_ENTERING) || job->is_ready) return false;
  job->main_process = (int)SYS(pidfd_open, sender, 0);
  job->mounts = old_mounts_open(sender);
  job->landlock_abi = message->value;
  job->is_untold = message->flags & PARKED_UNTOLD;
  job->is_ready = true;
  if (job->state == JOB_ENTERING) park(job, on_parked);
  return true;
}

void job_forked(struct job *job, int pid, job_parked_callback on_parked) {
  job->pid = pid;
  job->state = JOB_ENTERING;
  if (job->reason != REASON_NONE || job->failed) job_kill(job, job->reason);
  else if (job->is_ready) park(job, on_parked);
}

static bool started(struct job *job) {
  if (job->state != JOB_HANDED) return false;
  job->state = JOB_RUNNING;
  host_empty_frame(FRAME_STARTED, job->run);
  if (job->pending_signal) SYS(pidfd_send_signal, job->main_process, job->pending_signal, 0, 0);
  return true;
}

static bool ended(struct job *job, int status) {
  if (job->ended) return false;
  job->ended = true;
  job->end_status = status;
  return true;
}

static bool failed(struct job *job, const struct failure *failure) {
  if (job->failed || !failure_is_sound(failure)) return false;
  job_fail(job, failure);
  return true;
}

/* False where it was not its turn to say this. */
static bool handle_message(struct job *job, const struct message *message, int sender, job_parked_callback on_parked) {
  switch (message->kind) {
    case MESSAGE_PARKED: return parked(job, message, sender, on_parked);
    case MESSAGE_STARTED: return started(job);
    case MESSAGE_FAILED: return failed(job, &message->failure);
    case MESSAGE_ENDED: return ended(job, message->value);
    default: return false;
  }
}

static void read_messages(struct job *job, job_parked_callback on_parked) {
  while (job->control >= 0) {
    int sender = 0;
    long got = socket_receive(job->control, job->inbox + job->inbox_length, sizeof job->inbox - job->inbox_length, NULL, 0,
                              &sender, false);
    if (got == -EAGAIN) return;
    if (got <= 0) {
      descriptor_close(&job->control); /* what it means is told when pid 1 is reaped */
      return;
    }
    job->inbox_length += (size_t)got;
    if (job->inbox_length < sizeof job->inbox) continue;
    struct message message;
    memcpy(&message, job->inbox, sizeof message);
    job->inbox_length = 0;
    if (handle_message(job, &message, sender, on_parked)) continue;
    job_fail(job, &(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, EPROTO, "what it forked broke the protocol"});
    descriptor_close(&job->control); /* or one that floods would be all that is ever heard */
  }
}

void job_control_ready(struct job *job, unsigned events, job_parked_callback on_parked) {
  if ((events & INTEREST_WRITE) && job->task) {
    send_task(job, job->task, job->task_length);
    if (job->task_sent == job->task_length) {
      job_drop_task(job);
      loop_change(job->control, SOURCE_JOB_CONTROL, job_index(job), job->generation, INTEREST_READ);
    }
  }
  read_messages(job, on_parked);
}
