#ifndef PINFOLD_FILTER_H
#define PINFOLD_FILTER_H

#include <linux/filter.h>

/* Installs the system-call filter on every thread of this process. 0 or -errno. seccomp(2) */
long filter_install(const struct sock_filter *instructions, unsigned count);

#endif
