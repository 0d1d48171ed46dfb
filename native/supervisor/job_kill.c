#include "job_kill.h"

#include <signal.h>

#include "job_usage.h"

void job_kill(struct job *job, enum reason reason) {
  if (job->reason == REASON_NONE) job->reason = reason;
  if (job->pid <= 0 || job->reaped) return;
  usage_sample_last(job);
  SYS(kill, job->pid, SIGKILL);
}

void job_fail(struct job *job, const struct failure *failure) {
  if (!job->failed) job->failure = *failure;
  job->failed = true;
  job_kill(job, REASON_NONE);
}
