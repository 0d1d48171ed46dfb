/*
 * The supervisor: the trusted process between the host and the jobs. One thread, one epoll loop; it owns time, limits
 * and outcomes, and believes nothing that untrusted code says.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <linux/wait.h>

#include "../confine/control_groups.h"
#include "ask.h"
#include "configuration.h"
#include "host.h"
#include "job.h"
#include "loop.h"
#include "zygote.h"

#define TRIES_MAX 3
#define ENTER_LIMIT_NS 20000000000ull
#define REAPED_MEMORY 64

static struct configuration configuration;
static uint32_t own_pid;
static int signals;
static bool configured, ready_told, spares_fail, host_gone;
static uint32_t zygotes_lost; /* since a job last parked */

/* Pid 1s that ended before the zygote could say their pids. */
static int early_ends[REAPED_MEMORY];
static uint32_t early_count;

bool supervisor_has_ids_of_its_own(uint32_t *uid) {
  *uid = zygote.ids.job;
  return zygote.ids.separate;
}

/* --- runs --- */

static void place_or_fail(struct job *job) {
  if (zygote.state == ZYGOTE_NONE) zygote_start(&configuration, own_pid); /* given up, or never up: another try */
  if (zygote.state != ZYGOTE_READY) return;                              /* it waits */
  job->deadline_ns = clock_ns() + ENTER_LIMIT_NS;
  long result = job_open(job);
  if (result == 0) return;
  job_fail(job, &(struct failure){STAGE_RESOURCES, STEP_DESCRIPTORS, (int32_t)-result, ""});
  job_finish_if_done(job);
}

static uint32_t count_spares(void) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state != JOB_FREE && jobs[i].run == 0 && !jobs[i].failed) count++;
  return count;
}

/* The first spare shows that the whole way works, also where none is to be kept. */
static void refill(void) {
  uint32_t wanted = ready_told ? configuration.warm : configuration.warm ? configuration.warm : 1;
  if (spares_fail || host_gone || zygote.state != ZYGOTE_READY) return;
  for (uint32_t have = count_spares(); have < wanted; have++) {
    struct job *job = job_new();
    if (!job) return;
    job->spare_scratch_bytes = configuration.scratch_bytes;
    place_or_fail(job);
  }
}

static struct job *find_spare(uint64_t scratch_bytes) {
  struct job *oldest = NULL;
  for (uint32_t i = 0; i < jobs_used; i++) {
    struct job *job = &jobs[i];
    if (job->state != JOB_PARKED || job->run || job->spare_scratch_bytes != scratch_bytes) continue;
    if (!oldest || job->sequence < oldest->sequence) oldest = job;
  }
  return oldest;
}

static void read_limits(struct reader *reader, struct limits *limits) {
  limits->wall_ns = read_u64(reader);
  limits->cpu_ns = read_u64(reader);
  limits->memory_bytes = read_u64(reader);
  limits->output_bytes = read_u64(reader);
  limits->scratch_bytes = read_u64(reader);
  limits->processes = read_u32(reader);
  limits->open_files = read_u32(reader);
  uint8_t flags = read_u8(reader);
  limits->kill_on_output_limit = flags & 1;
  limits->stdin_streamed = flags & 2;
}

static void begin_run(uint32_t run, const struct limits *limits, const struct bytes *task) {
  struct job *spare = find_spare(limits->scratch_bytes);
  struct job *job = spare ? spare : job_new();
  if (!job || (!spare && !job_keep_task(job, task->start, task->length))) {
    host_failed(run, &(struct failure){STAGE_RESOURCES, STEP_TASK, job ? ENOMEM : EAGAIN, ""}, "");
    if (job) job_free(job);
    return;
  }
  job->run = run;
  job->limits = *limits;
  job->spare_scratch_bytes = limits->scratch_bytes;
  if (spare) job_hand(job, task->start, task->length);
  else place_or_fail(job);
  spares_fail = false;
  refill();
}

static bool run_frame(const struct frame *frame, const unsigned char *payload) {
  struct reader reader = {payload, payload + frame->length, false};
  struct limits limits;
  read_limits(&reader, &limits);
  struct bytes task = read_bytes(&reader);
  if (!read_done(&reader) || !configured || frame->run == 0 || job_find(frame->run)) return false;
  begin_run(frame->run, &limits, &task);
  return true;
}

void supervisor_spare_failed(const struct failure *failure) {
  spares_fail = true; /* until the next run: no endless row of failures */
  if (!ready_told) host_failed(0, failure, failure->detail);
}

void supervisor_place_free(void) { refill(); }

static void tell_ready(int32_t landlock_abi) {
  static const uint8_t by[] = {3, 2, 1}; /* for version 0 (watchdog or rlimit), 1, 2 */
  struct writer writer = host_begin(32);
  write_u32(&writer, own_pid);
  write_u32(&writer, (uint32_t)zygote.pid);
  write_u32(&writer, (uint32_t)landlock_abi);
  write_u8(&writer, by[control_groups_version(CONTROLLER_MEMORY)]);
  write_u8(&writer, by[control_groups_version(CONTROLLER_CPU)]);
  write_u8(&writer, by[control_groups_version(CONTROLLER_PIDS)]);
  write_u8(&writer, zygote.ids.separate ? 1 : 0);
  host_end(&writer, FRAME_READY, 0);
  ready_told = true;
}

void supervisor_spare_parked(struct job *job, int32_t landlock_abi) {
  zygotes_lost = 0;
  if (!ready_told) tell_ready(landlock_abi);
  if (job->run) job_hand(job, job->task, job->task_length);
}

/* --- the zygote --- */

static void zygote_is_ready(void) {
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state == JOB_WAITING) place_or_fail(&jobs[i]);
  refill();
}

static struct job *oldest_forking(void) {
  struct job *oldest = NULL;
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state == JOB_FORKING && (!oldest || jobs[i].sequence < oldest->sequence)) oldest = &jobs[i];
  return oldest;
}

/* It may have ended, and been reaped, before this word of it came. */
static bool ended_early(int pid) {
  for (uint32_t i = 0; i < REAPED_MEMORY; i++) {
    if (early_ends[i] != pid) continue;
    early_ends[i] = 0;
    return true;
  }
  return false;
}

static void zygote_forked(int32_t pid) {
  struct job *job = oldest_forking();
  if (!job) return;
  if (pid < 0) {
    job_fail(job, &(struct failure){STAGE_RESOURCES, STEP_PID_NAMESPACE, -pid, ""});
    job_finish_if_done(job);
    return;
  }
  bool ended = ended_early(pid);
  job_forked(job, pid);
  if (!ended) return;
  job_control_ready(job, 0);
  job_reaped(job);
}

static void zygote_failed(const struct failure *failure, const char *detail) {
  for (uint32_t i = 0; i < jobs_used; i++) {
    if (jobs[i].state != JOB_WAITING) continue;
    job_fail(&jobs[i], failure);
    job_finish_if_done(&jobs[i]);
  }
  host_failed(0, failure, detail);
}

/* Jobs that are running are the supervisor's own children: they go on. Those that the zygote was asked for start anew. */
static void zygote_lost(int status) {
  host_number_frame(FRAME_ZYGOTE_LOST, 0, (uint32_t)status);
  for (uint32_t i = 0; i < jobs_used; i++) {
    struct job *job = &jobs[i];
    if (job->state != JOB_FORKING) continue;
    job_close_descriptors(job);
    job->state = JOB_WAITING;
    if (job->run && job->reason == REASON_NONE && ++job->tries <= TRIES_MAX) continue;
    if (job->run && job->reason == REASON_NONE)
      job_fail(job, &(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, ECHILD, "the zygote was lost"});
    job_finish_if_done(job);
  }
  if (host_gone) return;
  if (++zygotes_lost <= TRIES_MAX) zygote_start(&configuration, own_pid);
  else zygote_failed(&(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, ECHILD, ""}, "it is lost again and again");
}

static const struct zygote_events zygote_events = {zygote_is_ready, zygote_forked, zygote_failed, zygote_lost};

/* --- frames --- */

static bool configure_frame(const struct frame *frame, const unsigned char *payload) {
  if (configured || frame->run != 0) return false;
  long result = configuration_read(&configuration, payload, frame->length);
  if (result == -EPROTO) return false;
  if (result < 0) {
    host_failed(0, &(struct failure){STAGE_SUPERVISOR, STEP_CONFIGURATION, (int32_t)-result, ""}, PINFOLD_VERSION);
    return true;
  }
  configured = true;
  zygote_start(&configuration, own_pid);
  return true;
}

static void abort_job(struct job *job) {
  job_kill(job, REASON_ABORTED);
  if (job->state == JOB_WAITING) job_finish_if_done(job);
}

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
    case FRAME_CONFIGURE: return configure_frame(frame, payload);
    case FRAME_RUN: return run_frame(frame, payload);
    case FRAME_ASK: return ask_start(frame->run, payload, frame->length, own_pid);
    case FRAME_STDIN: return !job || input_write(job, payload, frame->length);
    case FRAME_STDIN_END:
      if (job) input_end(job);
      return frame->length == 0;
    case FRAME_SIGNAL: return signal_frame(job, frame, payload);
    case FRAME_ABORT:
      if (job) abort_job(job);
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
  struct job *job = job_by_pid(pid);
  if (job) {
    job_control_ready(job, 0);
    limits_measure_end(job, cpu_ns, peak_bytes);
    job_reaped(job);
  } else if (pid == zygote.pid) {
    zygote_reaped(status, &zygote_events);
  } else if (!ask_reaped(pid, status)) {
    early_ends[early_count++ % REAPED_MEMORY] = pid;
  }
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
  if (zygote.socket >= 0) zygote_readable(&zygote_events); /* it may name those that have ended */
  reap_children();
}

/* --- the loop --- */

static void job_event(enum source source, struct job *job, unsigned events) {
  switch (source) {
    case SOURCE_JOB_CONTROL: job_control_ready(job, events); break;
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
      if (generation == zygote.generation) zygote_readable(&zygote_events);
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

static void earlier(uint64_t *deadline, uint64_t other) {
  if (other && (!*deadline || other < *deadline)) *deadline = other;
}

static bool entering(const struct job *job) { return job->state == JOB_FORKING || job->state == JOB_ENTERING; }

static uint64_t next_deadline(void) {
  uint64_t deadline = ask_next_ns();
  if (zygote.state == ZYGOTE_STARTING && zygote.deadline_ns != UINT64_MAX) earlier(&deadline, zygote.deadline_ns);
  for (uint32_t i = 0; i < jobs_used; i++) {
    earlier(&deadline, limits_next_ns(&jobs[i]));
    if (entering(&jobs[i]) && !jobs[i].failed) earlier(&deadline, jobs[i].deadline_ns);
  }
  return deadline;
}

/* A zygote that doesn't fork, or a job that doesn't park, is not waited for for ever. */
static void check_entering(struct job *job, uint64_t now) {
  if (!entering(job) || job->failed || now < job->deadline_ns) return;
  job_fail(job, &(struct failure){STAGE_ENTER, STEP_DEADLINE, ETIMEDOUT, ""});
  if (job->state == JOB_FORKING) SYS(kill, zygote.pid, SIGKILL);
}

static void check_deadlines(void) {
  uint64_t now = clock_ns();
  zygote_check_deadline(now);
  ask_check(now);
  for (uint32_t i = 0; i < jobs_used; i++) {
    limits_check(&jobs[i], now);
    check_entering(&jobs[i], now);
  }
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
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].pid > 0) SYS(kill, jobs[i].pid, SIGKILL);
  if (zygote.pid > 0) SYS(kill, zygote.pid, SIGKILL);
  ask_kill_all();
  /* A pid 1 that the zygote had not named yet ends by itself when its control socket closes. */
  for (uint32_t i = 0; i < jobs_used; i++) job_close_descriptors(&jobs[i]);
  while (SYS(wait4, -1, 0, __WALL, 0) > 0) continue;
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
  }
  end_everything();
  return 0;
}
