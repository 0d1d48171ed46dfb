/* Where the caller's own control group is, in each hierarchy, as a path of the file system. Pure text: no calls. */
#ifndef PINFOLD_CONTROL_GROUP_PATHS_H
#define PINFOLD_CONTROL_GROUP_PATHS_H

#include "../base/base.h"

/* `groups` and `mounts` are /proc/self/cgroup and /proc/self/mountinfo; `controller` is a version 1 controller's name, or
 * NULL for version 2. False where there is no such hierarchy, or its own group lies outside what is mounted. */
bool control_group_parent(const char *groups, const char *mounts, const char *controller, struct text *parent);

#endif
