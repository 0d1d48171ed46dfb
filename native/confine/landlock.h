#ifndef PINFOLD_LANDLOCK_H
#define PINFOLD_LANDLOCK_H

#include "steps.h"

/* Read and execute everywhere, write below scratch, /dev nodes and `writable` (NUL-terminated paths, one after the other)
 * only; no TCP (but with `network`), and nothing outside the job reached by signal or abstract socket, as far as this
 * kernel's ABI goes.
 * Gives the ABI (at least 1), or -errno. https://docs.kernel.org/userspace-api/landlock.html */
long landlock_restrict(const char *writable, size_t writable_bytes, bool network, struct failure *failure);

#endif
