/*
 * The supervisor: the trusted process between the host and the jobs. One thread, one epoll loop; it owns time, limits
 * and outcomes, and believes nothing that untrusted code says.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/wait.h>
#include <signal.h>
#include <sys/resource.h>

#include "../confine/control_groups.h"
#include "ask.h"
#include "child.h"
#include "host.h"
#include "job_limits.h"
#include "job_streams.h"
#include "loop.h"
#include "runs.h"
#include "zygote.h"

static uint32_t own_pid;
static int signals;
static bool host_gone;

/* --- frames --- */

static bool signal_frame(struct job *job, const struct frame *frame, const unsigned char *payload) {
  struct reader reader = {payload, payload + frame->length, false};
  uint32_t signal = read_u32(&reader);
  if (!read_done(&reader) || signal == 0 || signal > 64) return false;
  if (!job) return true;
  if (job->state == JOB_RUNNING) SYS(pidfd_send_signal, job->main_process, signal, 0, 0);
  else job->pending_signal = (int)signal;
  return true;
}

/* A frame for a run that has ended meanwhile is no fault: the host could not know. */
static bool handle_frame(const struct frame *frame, const unsigned char *payload) {
  struct job *job = job_find(frame->run);
  switch (frame->kind) {
    case FRAME_CONFIGURE: return runs_configure(frame, payload, own_pid);
    case FRAME_RUN: return runs_frame(frame, payload);
    case FRAME_ASK: return ask_start(frame->run, payload, frame->length, own_pid);
    case FRAME_STDIN: return !job || input_write(job, payload, frame->length);
    case FRAME_STDIN_END:
      if (job) input_end(job);
      return frame->length == 0;
    case FRAME_SIGNAL: return signal_frame(job, frame, payload);
    case FRAME_ABORT:
      if (job) runs_abort(job);
      return frame->length == 0;
    default: return false;
  }
}

/* --- children --- */

/* struct rusage as the kernel gives it on a 64-bit machine. */
struct kernel_rusage {
  int64_t user_s, user_us, system_s, system_us, peak_kib, more[13];
};

static void child_ended(int pid, int status, const struct kernel_rusage *usage) {
  uint64_t cpu_ns = (uint64_t)(usage->user_s + usage->system_s) * 1000000000u +
                    (uint64_t)(usage->user_us + usage->system_us) * 1000u;
  uint64_t peak_bytes = (uint64_t)usage->peak_kib * 1024;
  if (!runs_child_ended(pid, status, cpu_ns, peak_bytes) && !ask_reaped(pid, status)) runs_note_early_end(pid);
}

static void reap_children(void) {
  for (;;) {
    int status = 0;
    struct kernel_rusage usage = {0};
    long pid = SYS(wait4, -1, &status, WNOHANG | __WALL, &usage);
    if (pid <= 0) return;
    child_ended((int)pid, status, &usage);
  }
}

static void children_ended(void) {
  unsigned char ignored[128 * 8];
  SYS(read, signals, ignored, sizeof ignored);
  runs_zygote_readable(); /* it may name those that have ended */
  reap_children();
}

/* --- the loop --- */

static void job_event(enum source source, struct job *job, unsigned events) {
  switch (source) {
    case SOURCE_JOB_CONTROL: runs_control_ready(job, events); break;
    case SOURCE_JOB_STDIN: input_ready(job); break;
    case SOURCE_JOB_STDOUT: output_ready(job, 0); break;
    case SOURCE_JOB_STDERR: output_ready(job, 1); break;
    case SOURCE_JOB_MEMORY: limits_memory_event(job); break;
    default: break;
  }
}

static void handle_event(enum source source, uint32_t index, uint32_t generation, unsigned events) {
  switch (source) {
    case SOURCE_HOST:
      if (events & ~(unsigned)INTEREST_WRITE) host_gone = host_gone || !host_readable(handle_frame);
      break;
    case SOURCE_SIGNALS: children_ended(); break;
    case SOURCE_ZYGOTE:
      if (generation == zygote.generation) runs_zygote_readable();
      break;
    case SOURCE_ZYGOTE_LOG:
      if (generation == zygote.generation) zygote_log_readable();
      break;
    case SOURCE_ASK_STDOUT: ask_readable(index, 0); break;
    case SOURCE_ASK_STDERR: ask_readable(index, 1); break;
    default:
      if (index < JOBS_MAX && jobs[index].state != JOB_FREE && jobs[index].generation == generation)
        job_event(source, &jobs[index], events);
  }
}

static uint64_t next_deadline(void) {
  uint64_t ask = ask_next_ns(), runs = runs_next_ns();
  return !ask || (runs && runs < ask) ? runs : ask;
}

static void check_deadlines(void) {
  uint64_t now = clock_ns();
  ask_check(now);
  runs_check(now);
}

/* --- beginning and end --- */

static long watch_children(void) {
  const uint64_t mask = 1ull << (SIGCHLD - 1);
  /* The host blocked everything for the fork, and may ignore what we need: only this is blocked, to be read. */
  SYS(rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask);
  const struct {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } ignore = {(void *)1, 0, 0, 0}, standard = {0};
  SYS(rt_sigaction, SIGPIPE, &ignore, 0, sizeof mask);
  SYS(rt_sigaction, SIGCHLD, &standard, 0, sizeof mask);
  signals = (int)SYS(signalfd4, -1, &mask, sizeof mask, O_CLOEXEC | O_NONBLOCK);
  return signals < 0 ? signals : loop_add(signals, SOURCE_SIGNALS, 0, 0, INTEREST_READ);
}

/* Each job takes half a dozen descriptors here. */
static void raise_descriptor_limit(void) {
  uint64_t pair[2];
  if (SYS(prlimit64, 0, RLIMIT_NOFILE, 0, pair) < 0) return;
  pair[0] = pair[1];
  SYS(prlimit64, 0, RLIMIT_NOFILE, pair, 0);
}

static void end_everything(void) {
  runs_end_everything();
  ask_kill_all();
  /* Also those that no zygote has named yet. Until it is dead it may still make one: so again after each end. */
  do child_kill_all(own_pid);
  while (SYS(wait4, -1, 0, __WALL, 0) > 0);
  control_groups_close();
}

int supervisor_main(void) {
  own_pid = (uint32_t)SYS(getpid);
  SYS(fcntl, HOST_SOCKET, F_SETFD, FD_CLOEXEC);
  raise_descriptor_limit();
  if (loop_open() < 0 || watch_children() < 0 || host_open() < 0) return 1;
  control_groups_open(own_pid);
  while (!host_gone) {
    loop_turn(next_deadline(), handle_event);
    check_deadlines();
    if (!host_flush()) host_gone = true;
    outputs_resume();
    runs_finish_drained();
  }
  end_everything();
  return 0;
}
