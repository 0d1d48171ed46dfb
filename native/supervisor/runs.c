#include "runs.h"

#include <asm/errno.h>
#include <linux/wait.h>
#include <signal.h>

#include "../confine/control_groups.h"
#include "host.h"
#include "job_end.h"
#include "job_kill.h"
#include "job_limits.h"
#include "job_start.h"
#include "old_mounts.h"
#include "zygote.h"

#define TRIES_MAX 3
#define ENTER_LIMIT_NS 20000000000ull
#define REAPED_MEMORY 64
/* Asked of the zygote and not answered yet. Far fewer than fill its socket: while that is full, it can't answer. */
#define FORKS_AT_ONCE 32
/* A spare is not prepared beside a run: that would take the processor, and its caches, from it. Only where runs go on for
 * longer than this it is, one at a time. */
#define REFILL_DELAY_NS 5000000ull

static struct configuration configuration;
static uint32_t own_pid;
static bool configured, ready_told, spares_fail;
static uint32_t zygotes_lost; /* since a job last parked */
static uint64_t refill_at_ns; /* 0: no spare is missing, or nothing keeps it from being made */

/* Pid 1s that ended before the zygote could say their pids. */
static int early_ends[REAPED_MEMORY];
static uint32_t early_count;

static void refill(void);

static void release_mounts(void) {
  for (int mounts; (mounts = old_mounts_take()) >= 0; descriptor_close(&mounts)) zygote_release(mounts);
}

static void replenish(void) {
  refill();
  /* No process will be forked soon that could take them along. */
  if (!refill_at_ns) release_mounts();
}

/* What is to be done when a job may be through. */
static void finish(struct job *job) {
  struct failure failure;
  enum job_rest rest = job_finish(job, &failure);
  if (rest == JOB_SPARE_FAILED) {
    spares_fail = true; /* until the next run: no endless row of failures */
    if (!ready_told) host_failed(0, &failure, failure.detail);
  }
  if (rest != JOB_UNDER_WAY) replenish();
}

static uint32_t count_forking(void) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state == JOB_FORKING) count++;
  return count;
}

/* Otherwise it waits: for a zygote, or for its turn. */
static void place_or_fail(struct job *job) {
  if (zygote.state == ZYGOTE_NONE) zygote_start(&configuration, own_pid); /* given up, or never up: another try */
  if (!zygote_serves() || count_forking() >= FORKS_AT_ONCE) return;
  job->deadline_ns = clock_ns() + ENTER_LIMIT_NS;
  long result = job_open(job, !zygote.canary_sent);
  if (result == 0) {
    zygote.canary_sent = true;
    return;
  }
  if (!zygote_serves()) return; /* it is gone: the job waits for the next one */
  job_fail(job, &(struct failure){STAGE_RESOURCES, STEP_DESCRIPTORS, (int32_t)-result, ""});
  finish(job);
}

/* The one that has waited longest; runs come before spares. */
static struct job *next_waiting(void) {
  struct job *next = NULL;
  for (uint32_t i = 0; i < jobs_used; i++) {
    struct job *job = &jobs[i];
    if (job->state != JOB_WAITING || job->failed) continue;
    bool first = !next || (job->run != 0) > (next->run != 0) ||
                 ((job->run != 0) == (next->run != 0) && job->sequence < next->sequence);
    if (first) next = job;
  }
  return next;
}

static void place_waiting(void) {
  struct job *job;
  while (zygote_serves() && count_forking() < FORKS_AT_ONCE && (job = next_waiting())) place_or_fail(job);
}

struct census {
  uint32_t spares, unparked, runs;
};

static struct census count_jobs(void) {
  struct census count = {0, 0, 0};
  for (uint32_t i = 0; i < jobs_used; i++) {
    const struct job *job = &jobs[i];
    if (job->state == JOB_FREE || job->failed) continue;
    count.runs += job->run != 0;
    count.spares += job->run == 0;
    count.unparked += job->run == 0 && job->state != JOB_PARKED;
  }
  return count;
}

static bool may_refill(const struct census *count, bool is_due) { return !count->runs || (is_due && count->unparked == 0); }

/* The first spare shows that the whole way works, also where none is to be kept. */
static void refill(void) {
  uint32_t wanted = ready_told ? configuration.warm : configuration.warm ? configuration.warm : 1;
  uint64_t now = clock_ns(), due_ns = refill_at_ns;
  refill_at_ns = 0;
  if (spares_fail || !zygote_serves()) return;
  struct census count = count_jobs();
  for (; count.spares < wanted && may_refill(&count, now >= due_ns); count.spares++, count.unparked++) {
    struct job *job = job_new();
    if (!job) break;
    job->spare_scratch_bytes = configuration.scratch_bytes;
    place_or_fail(job);
  }
  if (count.spares < wanted) refill_at_ns = now < due_ns ? due_ns : now + REFILL_DELAY_NS;
}

/* The one that is furthest, then the oldest: a spare that is still on its way is there sooner than a new one. */
static struct job *find_spare(uint64_t scratch_bytes) {
  struct job *best = NULL;
  for (uint32_t i = 0; i < jobs_used; i++) {
    struct job *job = &jobs[i];
    if (job->state == JOB_FREE || job->run || job->failed || job->reaped || job->spare_scratch_bytes != scratch_bytes) continue;
    if (!best || job->state > best->state || (job->state == best->state && job->sequence < best->sequence)) best = job;
  }
  return best;
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
  bool is_parked = job && job->state == JOB_PARKED;
  if (!job || (!is_parked && !job_keep_task(job, task->start, task->length))) {
    host_failed(run, &(struct failure){STAGE_RESOURCES, STEP_TASK, job ? ENOMEM : EAGAIN, ""}, "");
    if (job && !spare) job_free(job);
    return;
  }
  job->run = run;
  job->limits = *limits;
  job->spare_scratch_bytes = limits->scratch_bytes;
  if (is_parked) job_hand(job, task->start, task->length);
  else if (!spare) place_or_fail(job);
  spares_fail = false;
  refill_at_ns = clock_ns() + REFILL_DELAY_NS;
}

bool runs_frame(const struct frame *frame, const unsigned char *payload) {
  struct reader reader = {payload, payload + frame->length, false};
  struct limits limits;
  read_limits(&reader, &limits);
  struct bytes task = read_bytes(&reader);
  if (!read_done(&reader) || !configured || frame->run == 0 || job_find(frame->run)) return false;
  begin_run(frame->run, &limits, &task);
  return true;
}

#define READY_OWN_ID 1
#define READY_UNTOLD 2

static void tell_ready(const struct job *job) {
  static const uint8_t by[] = {3, 2, 1}; /* for version 0 (watchdog or rlimit), 1, 2 */
  struct writer writer = host_begin(32);
  write_u32(&writer, own_pid);
  write_u32(&writer, (uint32_t)zygote.pid);
  write_u32(&writer, (uint32_t)job->landlock_abi);
  write_u8(&writer, by[control_groups_version(CONTROLLER_MEMORY)]);
  write_u8(&writer, by[control_groups_version(CONTROLLER_CPU)]);
  write_u8(&writer, by[control_groups_version(CONTROLLER_PIDS)]);
  write_u8(&writer, (zygote.ids.separate ? READY_OWN_ID : 0) | (job->is_untold ? READY_UNTOLD : 0));
  host_end(&writer, FRAME_READY, 0);
  ready_told = true;
}

static void parked(struct job *job) {
  zygotes_lost = 0;
  if (!ready_told) tell_ready(job);
  if (job->run) job_hand(job, job->task, job->task_length);
}

/* --- the zygote --- */

static void zygote_is_ready(void) {
  place_waiting();
  refill();
}

static struct job *first_forking(void) {
  struct job *first = NULL;
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state == JOB_FORKING && (!first || jobs[i].fork_sequence < first->fork_sequence)) first = &jobs[i];
  return first;
}

/* It may have ended, and been reaped, before this word of it came. */
static bool ended_early(int pid) {
  for (uint32_t i = 0; pid > 0 && i < REAPED_MEMORY; i++) {
    if (early_ends[i] != pid) continue;
    early_ends[i] = 0;
    return true;
  }
  return false;
}

/* The zygote's word is not enough: whoever is taken for a job is killed as one. */
static bool is_new_child(int pid) {
  return pid > 0 && pid != zygote.pid && !job_by_pid(pid) &&
         SYS(waitid, P_PID, pid, 0, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) == 0;
}

static bool is_errno(int32_t value) { return value < 0 && value >= -4095; }

static bool zygote_forked(int32_t pid) {
  struct job *job = first_forking();
  if (!job) return false;
  if (is_errno(pid)) {
    job_fail(job, &(struct failure){STAGE_ENTER, STEP_PID_NAMESPACE, -pid, ""});
    finish(job);
    return true;
  }
  bool ended = ended_early(pid);
  if (!ended && !is_new_child(pid)) return false;
  job_forked(job, pid, parked);
  if (!ended) return true;
  job_control_ready(job, 0, parked);
  job_reaped(job, 0, 0);
  finish(job);
  return true;
}

/* Each answer is somebody else's turn. */
static bool zygote_answered(int32_t pid) {
  bool good = zygote_forked(pid);
  if (good) place_waiting();
  return good;
}

static void zygote_failed(const struct failure *failure, const char *detail) {
  for (uint32_t i = 0; i < jobs_used; i++) {
    if (jobs[i].state != JOB_WAITING) continue;
    job_fail(&jobs[i], failure);
    finish(&jobs[i]);
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
    job->is_ready = false;
    job->inbox_length = 0;
    bool wanted = job->run && job->reason == REASON_NONE && !job->failed;
    if (wanted && ++job->tries <= TRIES_MAX) continue;
    if (wanted) job_fail(job, &(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, ECHILD, "the zygote was lost"});
    finish(job);
  }
  if (++zygotes_lost <= TRIES_MAX) zygote_start(&configuration, own_pid);
  else zygote_failed(&(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, ECHILD, ""}, "it is lost again and again");
}

static const struct zygote_events zygote_events = {zygote_is_ready, zygote_answered, zygote_failed, zygote_lost};

/* --- what the host orders --- */

bool runs_configure(const struct frame *frame, const unsigned char *payload, uint32_t supervisor_pid) {
  own_pid = supervisor_pid;
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

void runs_abort(struct job *job) {
  job_kill(job, REASON_ABORTED);
  if (job->state == JOB_WAITING) finish(job);
}

/* --- the ends of processes --- */

bool runs_child_ended(int pid, int status, uint64_t cpu_ns, uint64_t peak_bytes) {
  struct job *job = job_by_pid(pid);
  if (job) {
    job_control_ready(job, 0, parked);
    job_reaped(job, cpu_ns, peak_bytes);
    finish(job);
    return true;
  }
  if (pid != zygote.pid) return false;
  zygote_reaped(status, &zygote_events);
  return true;
}

void runs_note_early_end(int pid) { early_ends[early_count++ % REAPED_MEMORY] = pid; }

void runs_zygote_readable(void) {
  if (zygote.socket >= 0) zygote_readable(&zygote_events);
}

void runs_control_ready(struct job *job, unsigned events) { job_control_ready(job, events, parked); }

void runs_finish_drained(void) {
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state != JOB_FREE && jobs[i].reaped) finish(&jobs[i]);
}

/* --- deadlines --- */

static bool entering(const struct job *job) { return job->state == JOB_FORKING || job->state == JOB_ENTERING; }

static uint64_t earlier(uint64_t left, uint64_t right) { return !left || (right && right < left) ? right : left; }

uint64_t runs_next_ns(void) {
  uint64_t next = zygote.state == ZYGOTE_STARTING && zygote.deadline_ns != UINT64_MAX ? zygote.deadline_ns : 0;
  next = earlier(next, refill_at_ns);
  for (uint32_t i = 0; i < jobs_used; i++) {
    next = earlier(next, limits_next_ns(&jobs[i]));
    if (entering(&jobs[i]) && !jobs[i].failed) next = earlier(next, jobs[i].deadline_ns);
  }
  return next;
}

/* A zygote that doesn't fork, or a job that doesn't park, is not waited for for ever. */
static void check_entering(struct job *job, uint64_t now) {
  if (!entering(job) || job->failed || now < job->deadline_ns) return;
  job_fail(job, &(struct failure){STAGE_RESOURCES, STEP_DEADLINE, ETIMEDOUT, "the machine is too busy to confine it in time"});
  if (job->state == JOB_FORKING) SYS(kill, zygote.pid, SIGKILL);
}

void runs_check(uint64_t now) {
  zygote_check_deadline(now);
  if (refill_at_ns && now >= refill_at_ns) replenish();
  for (uint32_t i = 0; i < jobs_used; i++) {
    limits_check(&jobs[i], now);
    check_entering(&jobs[i], now);
  }
}

void runs_end_everything(void) {
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].pid > 0) SYS(kill, jobs[i].pid, SIGKILL);
  if (zygote.pid > 0) SYS(kill, zygote.pid, SIGKILL);
  /* A pid 1 that the zygote had not named yet ends by itself when its control socket closes. */
  for (uint32_t i = 0; i < jobs_used; i++) job_close_descriptors(&jobs[i]);
}
