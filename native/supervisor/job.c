#include "job.h"

#include <linux/mman.h>
#include <signal.h>

struct job jobs[JOBS_MAX];
uint32_t jobs_used;
static uint32_t generations, sequences;

uint32_t job_index(const struct job *job) { return (uint32_t)(job - jobs); }

struct job *job_find(uint32_t run) {
  for (uint32_t i = 0; run && i < jobs_used; i++)
    if (jobs[i].state != JOB_FREE && jobs[i].run == run) return &jobs[i];
  return NULL;
}

struct job *job_by_pid(int pid) {
  for (uint32_t i = 0; i < jobs_used; i++)
    if (jobs[i].state != JOB_FREE && jobs[i].pid == pid) return &jobs[i];
  return NULL;
}

struct job *job_new(void) {
  for (uint32_t i = 0; i < JOBS_MAX; i++) {
    struct job *job = &jobs[i];
    if (job->state != JOB_FREE) continue;
    if (i >= jobs_used) jobs_used = i + 1;
    *job = (struct job){
        .state = JOB_WAITING,
        .generation = ++generations,
        .sequence = ++sequences,
        .pid = -1,
        .main_process = -1,
        .control = -1,
        .group = -1,
        .memory_event = -1,
        .proc = -1,
        .scratch = -1,
        .input.fd = -1,
        .output = {{.fd = -1}, {.fd = -1}},
    };
    return job;
  }
  return NULL;
}

void job_free(struct job *job) {
  job_close_descriptors(job);
  if (job->task) SYS(munmap, job->task, job->task_length);
  if (job->input.buffer) SYS(munmap, job->input.buffer, STDIN_WINDOW);
  job->task = NULL;
  job->input.buffer = NULL;
  job->state = JOB_FREE;
  while (jobs_used && jobs[jobs_used - 1].state == JOB_FREE) jobs_used--;
}

void job_kill(struct job *job, enum reason reason) {
  if (job->reason == REASON_NONE) job->reason = reason;
  if (job->pid <= 0 || job->reaped) return;
  limits_measure_last(job);
  SYS(kill, job->pid, SIGKILL);
}
