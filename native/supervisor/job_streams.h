#ifndef PINFOLD_JOB_STREAMS_H
#define PINFOLD_JOB_STREAMS_H

#include "job.h"

/* Makes the three pipes; `child` gets the job's ends. */
long streams_open(struct job *job, int child[3]);
void streams_begin(struct job *job);

void output_ready(struct job *job, int which);
/* Of a job that is gone: all that is still in its pipes, as far as the host has room. */
void output_drain(struct job *job);
/* Of all jobs, where the host has room again. */
void outputs_resume(void);

/* False where that is more than was granted. */
bool input_write(struct job *job, const unsigned char *bytes, size_t length);
void input_end(struct job *job);
void input_ready(struct job *job);

#endif
