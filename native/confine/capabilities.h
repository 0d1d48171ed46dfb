#ifndef PINFOLD_CAPABILITIES_H
#define PINFOLD_CAPABILITIES_H

#include <stdint.h>

/* Gives up every capability of this thread but those in `kept` (1 << CAP_...): bounding, ambient, inheritable, permitted,
 * effective. 0 or -errno. capabilities(7) */
long capabilities_keep(uint64_t kept);

#endif
