#include "../include/pinfold.h"

const char *pinfold_version(void) { return PINFOLD_VERSION; }
