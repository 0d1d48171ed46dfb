/*
 * The mounts of jobs that are gone. The last to let go of a mount namespace takes it down and waits for the kernel (a grace
 * period of RCU: a fraction of a millisecond, on a busy machine ten). That is to be neither a job's pid 1, since a caller waits
 * for its end, nor the supervisor, since all jobs do: the process that is forked next takes one along and closes it.
 */
#ifndef PINFOLD_OLD_MOUNTS_H
#define PINFOLD_OLD_MOUNTS_H

/* A descriptor of the mount namespace that `pid` is in, or -errno. */
int old_mounts_open(int pid);
/* Takes over a descriptor; -1 does nothing. */
void old_mounts_keep(int fd);
/* Hands over the one that has waited longest, or gives -1. */
int old_mounts_take(void);

#endif
