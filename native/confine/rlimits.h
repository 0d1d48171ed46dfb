#ifndef PINFOLD_RLIMITS_H
#define PINFOLD_RLIMITS_H

#include "control.h"

/* Those that are the same for every run: no core dump, no message queues, no priority, little locked memory and few
 * signals in wait. */
long rlimits_apply_fixed(void);
/* Those of this run. After the job's own user namespace is made, so that RLIMIT_NPROC counts there. */
long rlimits_apply(const struct task_order *order, struct failure *failure);

#endif
