/* Runs a trusted program of the caller's own, unconfined, to learn about it: where an interpreter lives, what it is. */
#ifndef PINFOLD_ASK_H
#define PINFOLD_ASK_H

#include "frames.h"

/* False where the frame is not well-formed. */
bool ask_start(uint32_t run, const unsigned char *payload, size_t length, uint32_t supervisor_pid);
void ask_readable(uint32_t index, int which);
/* True where that process was one of these. */
bool ask_reaped(int pid, int status);
uint64_t ask_next_ns(void);
void ask_check(uint64_t now_ns);
void ask_kill_all(void);

#endif
