#ifndef PINFOLD_JOB_KILL_H
#define PINFOLD_JOB_KILL_H

#include "job.h"

/* Records why it ends, unless that is known (REASON_NONE records nothing), and kills all of it. */
void job_kill(struct job *job, enum reason reason);
/* It could not be confined or started: records the first failure, and kills it. */
void job_fail(struct job *job, const struct failure *failure);

#endif
