/* From a free place to code that runs. */
#ifndef PINFOLD_JOB_START_H
#define PINFOLD_JOB_START_H

#include "job.h"

typedef void (*job_parked_callback)(struct job *job);

/* Group, socket and pipes, and the request to the zygote. 0 or -errno. */
long job_open(struct job *job, bool tries_canary);
/* The zygote has told its pid. */
void job_forked(struct job *job, int pid, job_parked_callback on_parked);
/* Gives a parked job its run: limits, stdin and task. */
void job_hand(struct job *job, const unsigned char *task, size_t length);
/* Reads what it says of itself, and writes what is left of its task. */
void job_control_ready(struct job *job, unsigned events, job_parked_callback on_parked);

#endif
