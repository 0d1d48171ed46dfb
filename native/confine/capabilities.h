#ifndef PINFOLD_CAPABILITIES_H
#define PINFOLD_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

/* True where this thread has all of `wanted` (1 << CAP_...) in effect. */
bool capabilities_have(uint64_t wanted);

/* Gives up every capability of this thread but those in `kept` (1 << CAP_...): bounding, ambient, inheritable, permitted,
 * effective. 0 or -errno. capabilities(7) */
long capabilities_keep(uint64_t kept);

#endif
