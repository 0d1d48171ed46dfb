#ifndef PINFOLD_JOB_USAGE_H
#define PINFOLD_JOB_USAGE_H

#include "job.h"

/* Brings cpu_used_ns up to date, and memory_used and memory_peak where no control group keeps them. */
void usage_sample(struct job *job);
/* Before a job is killed. */
void usage_sample_last(struct job *job);
/* The kernel has killed a process of it for memory. */
bool usage_is_out_of_memory(const struct job *job);
/* When pid 1 is reaped, with what the kernel says that it and its children used. */
void usage_measure_end(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes);

#endif
