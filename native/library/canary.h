#ifndef PINFOLD_CANARY_H
#define PINFOLD_CANARY_H

#include "../confine/steps.h"

/* In a sealed job, before it parks: tries what must fail, and finds what must be so. 0, or -EPERM with the name of what was
 * possible in `failure`. A kernel, or a layer between, that says it has confined a process and has not is found out here. */
long canary_try(struct failure *failure);

#endif
