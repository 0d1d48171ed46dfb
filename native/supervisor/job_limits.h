#ifndef PINFOLD_JOB_LIMITS_H
#define PINFOLD_JOB_LIMITS_H

#include "job.h"

/* The run is dispatched now. */
void limits_begin(struct job *job);
/* When to check next; 0: never. */
uint64_t limits_next_ns(const struct job *job);
void limits_check(struct job *job, uint64_t now_ns);
void limits_memory_event(struct job *job);
/* When it is reaped and measured: the limit that ended it where the kernel enforced one by itself. */
void limits_judge_end(struct job *job);

#endif
