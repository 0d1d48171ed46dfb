/* When a job has had enough: it is looked at as often as a limit could be passed, and not more often. */
#include "job_limits.h"

#include <signal.h>

#include "../confine/control_groups.h"
#include "job_kill.h"
#include "job_usage.h"

#define MS 1000000ull
#define LOOK_LEAST_NS (2 * MS)
#define LOOK_MOST_NS (25 * MS)
#define LOOK_SHARE 20 /* of the time may go into looks at one job, as a fraction: 1/20 */
#define PAUSE_MOST_NS (100 * MS)
#define FILL_BYTES_PER_MS (4ull << 20) /* about as fast as two cores touch new pages */

static uint64_t cores(void) {
  static uint64_t known;
  if (known) return known;
  uint64_t mask[16] = {0};
  long size = SYS(sched_getaffinity, 0, sizeof mask, mask);
  for (long i = 0; i < size / 8; i++)
    for (; mask[i]; mask[i] &= mask[i] - 1) known++;
  return known ? known : (known = 1);
}

static bool counts(enum controller controller) { return control_groups_version(controller) != 0; }

static uint64_t memory_wait_ns(const struct job *job) {
  uint64_t limit = job->limits.memory_bytes, left = limit > job->memory_used ? limit - job->memory_used : 0;
  uint64_t wait = left / FILL_BYTES_PER_MS * MS;
  return wait < LOOK_LEAST_NS ? LOOK_LEAST_NS : wait > LOOK_MOST_NS ? LOOK_MOST_NS : wait;
}

static uint64_t cpu_wait_ns(const struct job *job) {
  uint64_t left = job->limits.cpu_ns > job->cpu_used_ns ? job->limits.cpu_ns - job->cpu_used_ns : 0;
  uint64_t wait = left / cores();
  return wait < LOOK_LEAST_NS ? LOOK_LEAST_NS : wait;
}

static void look(struct job *job, uint64_t now) {
  usage_sample(job);
  if (job->cpu_used_ns >= job->limits.cpu_ns) job_kill(job, REASON_CPU);
  if (job->memory_used > job->limits.memory_bytes || usage_is_out_of_memory(job)) job_kill(job, REASON_MEMORY);
  job->next_look_ns = now + cpu_wait_ns(job);
  uint64_t again = now + memory_wait_ns(job);
  if (!counts(CONTROLLER_MEMORY) && again < job->next_look_ns) job->next_look_ns = again;
  /* Nobody may make the looking itself expensive: all jobs wait meanwhile. */
  uint64_t pause = LOOK_SHARE * job->look_took_ns;
  uint64_t soonest = now + (pause < PAUSE_MOST_NS ? pause : PAUSE_MOST_NS);
  if (job->next_look_ns < soonest) job->next_look_ns = soonest;
}

void limits_begin(struct job *job) {
  job->started_ns = clock_ns();
  job->deadline_ns = job->started_ns + job->limits.wall_ns;
  job->next_look_ns = job->started_ns + cpu_wait_ns(job);
  if (!counts(CONTROLLER_MEMORY)) job->next_look_ns = job->started_ns + LOOK_LEAST_NS;
}

static bool timed(const struct job *job) {
  return (job->state == JOB_HANDED || job->state == JOB_RUNNING) && !job->reaped && job->reason == REASON_NONE;
}

uint64_t limits_next_ns(const struct job *job) {
  if (!timed(job)) return 0;
  return job->next_look_ns < job->deadline_ns ? job->next_look_ns : job->deadline_ns;
}

void limits_check(struct job *job, uint64_t now) {
  if (!timed(job)) return;
  if (now >= job->deadline_ns) job_kill(job, REASON_WALL);
  else if (now >= job->next_look_ns) look(job, now);
}

/* The kernel has killed one process for memory, maybe not the one that the job can't do without: the limit is the job's,
 * so all of it ends. */
void limits_memory_event(struct job *job) {
  if (job->memory_event >= 0) {
    uint64_t count;
    SYS(read, job->memory_event, &count, sizeof count);
  }
  if (timed(job) && usage_is_out_of_memory(job)) job_kill(job, REASON_MEMORY);
}

void limits_judge_end(struct job *job) {
  if (job->reason != REASON_NONE) return;
  if (usage_is_out_of_memory(job)) job->reason = REASON_MEMORY;
  /* The rlimit's kill is a bare signal: it can't come before the job has used its time. */
  else if (job->ended && (job->end_status & 0x7f) == SIGKILL && job->cpu_used_ns >= job->limits.cpu_ns)
    job->reason = REASON_CPU;
}
