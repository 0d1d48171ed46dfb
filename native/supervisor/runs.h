/* The whole of it: zygote, spares and runs, and what one's event means for the others. */
#ifndef PINFOLD_RUNS_H
#define PINFOLD_RUNS_H

#include "configuration.h"
#include "job.h"

/* Frames from the host. False where one breaks the protocol. */
bool runs_configure(const struct frame *frame, const unsigned char *payload, uint32_t supervisor_pid);
bool runs_frame(const struct frame *frame, const unsigned char *payload);
void runs_abort(struct job *job);

/* Events. */
void runs_zygote_readable(void);
void runs_control_ready(struct job *job, unsigned events);
/* False where that process is neither a job's pid 1 that is known, nor the zygote. */
bool runs_child_ended(int pid, int status, uint64_t cpu_ns, uint64_t peak_bytes);
void runs_note_early_end(int pid);
/* Jobs that waited for the host to take their last output. */
void runs_finish_drained(void);

uint64_t runs_next_ns(void); /* 0: never */
void runs_check(uint64_t now_ns);
/* Kills all of it; the caller reaps. */
void runs_end_everything(void);

#endif
