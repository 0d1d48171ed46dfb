/* What a job was refused: memory that its pid 1 writes and the supervisor reads. */
#ifndef PINFOLD_JOB_DENIALS_H
#define PINFOLD_JOB_DENIALS_H

#include "../base/wire.h"
#include "job.h"

/* More than the longest list takes in a frame. */
#define DENIALS_FRAME_BYTES 32768

/* The descriptor of the memory for whoever has this place, to be sent to pid 1; or -errno. It stays the place's. */
int job_denials_open(const struct job *job);
/* Nothing was refused so far: what the canary tried is nobody's. */
void job_denials_clear(const struct job *job);
bool job_denials_any(const struct job *job);
/* list of (u32 number, u64 count, list<u64> values, bytes text) */
void job_denials_write(const struct job *job, struct writer *writer);

#endif
