#include "job.h"

#include "old_mounts.h"

#include <linux/mman.h>

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
    if (jobs[i].state != JOB_FREE && jobs[i].pid == pid && !jobs[i].reaped) return &jobs[i];
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
        .mounts = -1,
        .input.fd = -1,
        .output = {{.fd = -1}, {.fd = -1}},
    };
    return job;
  }
  return NULL;
}

bool job_keep_task(struct job *job, const unsigned char *task, size_t length) {
  job->task_length = length;
  long room = SYS(mmap, 0, length + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room < 0 && room > -4096) return false;
  job->task = (unsigned char *)room;
  memcpy(job->task, task, length);
  return true;
}

void job_drop_task(struct job *job) {
  if (job->task) SYS(munmap, job->task, job->task_length + 1);
  job->task = NULL;
}

void job_close_descriptors(struct job *job) {
  descriptor_close(&job->control);
  descriptor_close(&job->main_process);
  descriptor_close(&job->proc);
  descriptor_close(&job->scratch);
  old_mounts_keep(descriptor_take(&job->mounts));
  descriptor_close(&job->input.fd);
  for (int i = 0; i < 2; i++) descriptor_close(&job->output[i].fd);
}

void job_free(struct job *job) {
  job_close_descriptors(job);
  job_drop_task(job);
  if (job->input.buffer) SYS(munmap, job->input.buffer, STDIN_WINDOW);
  job->input.buffer = NULL;
  if (job->seen) SYS(munmap, job->seen, SEEN_BYTES);
  job->seen = NULL;
  job->state = JOB_FREE;
  while (jobs_used && jobs[jobs_used - 1].state == JOB_FREE) jobs_used--;
}
