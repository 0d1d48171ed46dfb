/* How a job ends: reaped, measured, told. */
#ifndef PINFOLD_JOB_END_H
#define PINFOLD_JOB_END_H

#include "job.h"

enum job_rest { JOB_UNDER_WAY, JOB_FINISHED, JOB_SPARE_FAILED };

/* Pid 1 is reaped, and so every process of it is gone. */
void job_reaped(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes);
/* Once it is reaped (or never was a process) and its output is through: tells the host and frees the place. `failure` is
 * what a failed spare failed with. */
enum job_rest job_finish(struct job *job, struct failure *failure);

#endif
