#ifndef PINFOLD_FILTER_H
#define PINFOLD_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>

/* Installs the system-call filter on every thread of this process, and gives the descriptor on which refused calls are
 * told: close it or hand it over. -1 where the kernel gives none (there is a listener already, from outside); such calls
 * are then refused by the filter itself, untold. 0 or -errno. seccomp(2), seccomp_unotify(2) */
long filter_install(const struct sock_filter *instructions, unsigned count, int *listener);

/* The errno with which the filter has this call refused, told or not; 0 where it lets it through. */
int filter_errno(const struct sock_filter *instructions, unsigned count, const struct seccomp_data *call);

#endif
