#include "job_end.h"

#include <asm/errno.h>
#include <signal.h>

#include "../confine/control_groups.h"
#include "host.h"
#include "job_denials.h"
#include "job_limits.h"
#include "job_streams.h"
#include "job_usage.h"
#include "loop.h"

#define NOT_KNOWN UINT32_MAX

static bool by_signal(int status) { return (status & 0x7f) != 0; }

/* The wait status to tell: a job that we ended before it said how it ended was killed. */
static int final_status(const struct job *job) { return job->ended ? job->end_status : SIGKILL; }

static uint8_t truncated(const struct job *job) {
  return (uint8_t)((job->output[0].truncated ? 1 : 0) | (job->output[1].truncated ? 2 : 0));
}

static void tell_end(const struct job *job) {
  int status = final_status(job);
  enum reason reason = job->reason != REASON_NONE ? job->reason : by_signal(status) ? REASON_SIGNALED : REASON_EXITED;
  uint32_t processes = job->group >= 0 ? control_group_processes_peak(job->group) : NOT_KNOWN;
  struct writer writer = host_begin(64 + (job_denials_any(job) ? DENIALS_FRAME_BYTES : 0));
  write_u8(&writer, (uint8_t)reason);
  write_u8(&writer, truncated(job));
  write_u16(&writer, 0);
  write_u32(&writer, by_signal(status) ? (uint32_t)-1 : (uint32_t)(status >> 8 & 0xff));
  write_u32(&writer, (uint32_t)(status & 0x7f));
  write_u32(&writer, processes);
  write_u64(&writer, job->wall_ns);
  write_u64(&writer, job->cpu_used_ns);
  write_u64(&writer, job->memory_peak);
  job_denials_write(job, &writer);
  host_end(&writer, FRAME_END, job->run);
}

/* Pid 1 died before its job was sealed, and nobody here asked for that: somebody else has, short of memory perhaps. */
static void note_unexplained(struct job *job) {
  if (job->failed || job->reason != REASON_NONE || job->state == JOB_RUNNING) return;
  job->failed = true;
  job->failure = (struct failure){STAGE_RESOURCES, STEP_TASK, ECHILD, "killed before it was sealed"};
}

/* It is the group's, and stays open for its next job. */
static void forget_memory_event(struct job *job) {
  if (job->memory_event >= 0) loop_remove(job->memory_event);
  job->memory_event = -1;
}

void job_reaped(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes) {
  usage_measure_end(job, rusage_cpu_ns, rusage_peak_bytes);
  limits_judge_end(job);
  job->reaped = true;
  job->wall_ns = job->started_ns ? clock_ns() - job->started_ns : 0;
  note_unexplained(job);
  forget_memory_event(job);
}

static bool is_done(struct job *job) {
  if (job->pid > 0 && !job->reaped) return false;
  if (!job->run) return true;
  output_drain(job);
  /* Its list of denials is as long as the job likes: like its output, it waits for the host. */
  return !job->output[0].paused && !job->output[1].paused && (!job_denials_any(job) || host_has_room());
}

static void tell(const struct job *job) {
  if (job->failed && job->reason == REASON_NONE) host_failed(job->run, &job->failure, job->failure.detail);
  else tell_end(job);
}

enum job_rest job_finish(struct job *job, struct failure *failure) {
  if (!is_done(job)) return JOB_UNDER_WAY;
  if (job->run) tell(job);
  *failure = job->failure;
  enum job_rest rest = !job->run && job->failed ? JOB_SPARE_FAILED : JOB_FINISHED;
  /* First the news: the kernel may take its time for a group's removal. A host that is gone is noticed by the loop. */
  host_flush();
  forget_memory_event(job); /* of one that was never forked */
  if (job->group >= 0) control_group_release(job->group);
  job_denials_clear(job);
  job_free(job);
  return rest;
}
