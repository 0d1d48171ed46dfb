/* Processes that the supervisor starts itself. */
#ifndef PINFOLD_CHILD_H
#define PINFOLD_CHILD_H

#include "../base/base.h"

/* A fork. The child has every signal at its default, none blocked, and dies with the supervisor. 0 in the child. */
long child_fork(uint32_t supervisor_pid);
/* Makes `fds[i]` descriptor i, and closes all above `count`. */
long child_place_descriptors(const int *fds, int count);

/* Kills every child there is now, known or not. */
void child_kill_all(uint32_t own_pid);

#endif
