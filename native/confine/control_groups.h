/*
 * Control groups, version 1 or 2, below the caller's own group only: memory and processes are limited there, and memory
 * and processor time measured, for all processes of a job together.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/
 */
#ifndef PINFOLD_CONTROL_GROUPS_H
#define PINFOLD_CONTROL_GROUPS_H

#include "../base/base.h"

enum controller { CONTROLLER_MEMORY, CONTROLLER_PIDS, CONTROLLER_CPU, CONTROLLER_COUNT };

#define GROUPS_MAX 1152

/* 0: not available, else the version of the hierarchy that keeps this controller. */
int control_groups_version(enum controller controller);

/* Finds where groups can be made, by making one. Removes what a supervisor that is gone has left. */
void control_groups_open(uint32_t supervisor_pid);
void control_groups_close(void);
/* Removes the groups of supervisors that are gone; gives how many are left, since their last processes are still ending. */
int control_groups_sweep(void);

struct group_limits {
  uint64_t memory_bytes;
  uint32_t processes; /* pid 1 included */
};

/* A free group, or -errno: -ENOSYS where no controller is available. */
int control_group_acquire(void);
/* Descriptors of the files that move whoever writes "0" to them into the group; they stay the group's. How many. */
size_t control_group_entrances(int group, int entrances[CONTROLLER_COUNT]);
/* In the process that is to be in the group. The kernel may take tens of milliseconds for it (a grace period of RCU), so
 * the supervisor doesn't do it itself. */
long control_group_enter(const int *entrances, size_t count);
/* Of what is parked in the group: zero for all that is counted from here, and the limits that the next run will have most
 * likely, so that nothing is left to be done when it comes. */
void control_group_prepare(int group);
/* The limits, where they aren't in force already. */
long control_group_begin(int group, const struct group_limits *limits);
void control_group_release(int group);

/* An eventfd that becomes readable when the kernel has killed for memory; -1 where this can only be polled. */
int control_group_memory_event(int group);
bool control_group_out_of_memory(int group);
uint64_t control_group_cpu_ns(int group);
uint64_t control_group_memory_peak(int group);
uint32_t control_group_processes_peak(int group); /* UINT32_MAX where the kernel doesn't tell */

#endif
