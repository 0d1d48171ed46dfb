/*
 * Pid 1 is a fork of the whole interpreter and needs none of it any more: only this library and the end of its stack. What
 * it lets go of while the job gets ready need not be taken down when the job has ended, and a caller waits.
 */
#ifndef PINFOLD_SHED_H
#define PINFOLD_SHED_H

/* Unmaps all but this library and the stack around the caller, who must never return. Does nothing where it can't be sure
 * that nobody else, such as the kernel, still writes to what it would unmap. */
void shed_interpreter(void);

#endif
