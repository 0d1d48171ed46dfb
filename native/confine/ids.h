#ifndef PINFOLD_IDS_H
#define PINFOLD_IDS_H

#include "steps.h"

#define JOB_VISIBLE_ID 1000 /* what getuid() and getgid() say inside a job */

/* The ids, on the host, that a zygote's user namespace is made of. */
struct host_ids {
  uint32_t zygote, job;
  bool separate; /* two ids that nobody else has; else the caller's own for both */
};

/* As root, two ids that are unlikely to be anybody's; otherwise the caller's own. */
struct host_ids host_ids_choose(uint32_t supervisor_pid);
/* Whether the caller, and so a job without an id of its own, belongs to the group 0. */
bool ids_in_root_group(void);
/* Of the ids in `map`, which is a /proc/self/uid_map: `wanted` and the one after it, else the highest two. False where there are none. */
bool ids_choose_pair(const char *map, uint32_t wanted, uint32_t *first);
/* Written by the supervisor, since a namespace can't map ids that its creator doesn't hold. */
long ids_map_zygote(int pid, const struct host_ids *ids);
/* In the zygote: root of its own namespace. */
long ids_become_root(bool separate);
/* In the job: an id of its own, in a user namespace of its own. `job_id` is its id in the zygote's namespace. */
long ids_become_job(uint32_t job_id);

#endif
