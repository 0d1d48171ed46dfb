/* How a job ends: reaped, measured, told. */
#include <asm/errno.h>
#include <signal.h>

#include "../confine/control_groups.h"
#include "host.h"
#include "job.h"
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
  struct writer writer = host_begin(64);
  write_u8(&writer, (uint8_t)reason);
  write_u8(&writer, truncated(job));
  write_u16(&writer, 0);
  write_u32(&writer, by_signal(status) ? (uint32_t)-1 : (uint32_t)(status >> 8 & 0xff));
  write_u32(&writer, (uint32_t)(status & 0x7f));
  write_u32(&writer, processes);
  write_u64(&writer, job->wall_ns);
  write_u64(&writer, job->cpu_used_ns);
  write_u64(&writer, job->memory_peak);
  write_u32(&writer, 0); /* denials: nothing reports them yet */
  host_end(&writer, FRAME_END, job->run);
}

/* Pid 1 died before its job was sealed, and nobody asked for that: the confinement is at fault, not the code. */
static void note_unexplained(struct job *job) {
  if (job->failed || job->reason != REASON_NONE || job->state == JOB_RUNNING) return;
  job->failed = true;
  job->failure = (struct failure){STAGE_ENTER, STEP_TASK, ECHILD, "ended before it was sealed"};
}

void job_fail(struct job *job, const struct failure *failure) {
  if (!job->failed) job->failure = *failure;
  job->failed = true;
  job_kill(job, REASON_NONE);
}

void job_reaped(struct job *job) {
  job->reaped = true;
  job->wall_ns = job->started_ns ? clock_ns() - job->started_ns : 0;
  note_unexplained(job);
  if (job->group >= 0 && job->memory_event >= 0) loop_remove(job->memory_event);
  job_finish_if_done(job);
}

void job_finish_if_done(struct job *job) {
  if (!job->reaped && job->pid > 0) return;
  if (job->run) output_drain(job);
  if (job->run && (job->output[0].paused || job->output[1].paused)) return;
  if (job->run && job->failed && job->reason == REASON_NONE) host_failed(job->run, &job->failure, job->failure.detail);
  else if (job->run) tell_end(job);
  else if (job->failed) supervisor_spare_failed(&job->failure);
  /* First the news: the kernel may take its time for a group's removal. A host that is gone is noticed by the loop. */
  host_flush();
  if (job->group >= 0) control_group_release(job->group);
  job_free(job);
  supervisor_place_free();
}
