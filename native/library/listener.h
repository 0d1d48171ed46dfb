/*
 * Refused calls, told to pid 1 by the kernel: it counts them and has them refused. This is how they are told, not how they
 * are decided: the filter has decided, and nothing that is answered here can let a call through. seccomp_unotify(2)
 *
 * Pid 1 does it, not the supervisor, so that a job which asks for a million refusals pays for them out of its own time.
 */
#ifndef PINFOLD_LISTENER_H
#define PINFOLD_LISTENER_H

#include "inside.h"

/* In pid 1: maps the memory for the table. 0 or -errno. */
long listener_open(void);
/* In pid 1: takes the listener that the job has sent. -1 where there is none. */
int listener_take(void);
/* In pid 1: answers one refused call. */
void listener_answer(int listener);

#endif
