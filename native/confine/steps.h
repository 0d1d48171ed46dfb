/*
 * Confinement is a list of steps, run in order; the first that fails ends it, and is told with its errno.
 * The names are part of the protocol: the host maps them to guarantees and remedies.
 */
#ifndef PINFOLD_STEPS_H
#define PINFOLD_STEPS_H

#include "../base/base.h"

enum stage { STAGE_SUPERVISOR = 1, STAGE_ROOT, STAGE_ZYGOTE, STAGE_ENTER, STAGE_SEAL, STAGE_RESOURCES };

#define STEPS(X)                              \
  X(NONE, "none")                             \
  X(CHANNEL, "channel")                       \
  X(CONFIGURATION, "configuration")           \
  X(SPAWN, "spawn")                           \
  X(DESCRIPTORS, "descriptors")               \
  X(LISTENER, "listener")                     \
  X(USER_NAMESPACE, "user-namespace")         \
  X(ID_MAP, "id-map")                         \
  X(NETWORK_NAMESPACE, "network-namespace")   \
  X(IPC_NAMESPACE, "ipc-namespace")           \
  X(UTS_NAMESPACE, "uts-namespace")           \
  X(CGROUP_NAMESPACE, "cgroup-namespace")     \
  X(MOUNT_NAMESPACE, "mount-namespace")       \
  X(PRIVATE_ROOT, "private-root")             \
  X(PIVOT_ROOT, "pivot-root")                 \
  X(VIEW, "view")                             \
  X(PROC, "proc")                             \
  X(PID_NAMESPACE, "pid-namespace")           \
  X(CONTROL_GROUP, "control-group")           \
  X(SCRATCH, "scratch")                       \
  X(SESSION, "session")                       \
  X(RLIMITS, "rlimits")                       \
  X(IDS, "ids")                               \
  X(CAPABILITIES, "capabilities")             \
  X(NO_NEW_PRIVS, "no-new-privs")             \
  X(LANDLOCK, "landlock")                     \
  X(TASK, "task")                             \
  X(FILTER, "filter")                         \
  X(CANARY, "canary")                         \
  X(EXEC, "exec")                             \
  X(INTERPRETER, "interpreter")               \
  X(DEADLINE, "deadline")

enum step_id {
#define STEP_ID(id, name) STEP_##id,
  STEPS(STEP_ID)
#undef STEP_ID
      STEP_COUNT
};

const char *step_name(uint32_t id);

/* What failed, as it travels from wherever it failed to the supervisor. `detail` names a path or the like; may be empty. */
struct failure {
  uint32_t stage, step;
  int32_t error;
  char detail[180];
};

struct step {
  enum step_id id;
  long (*run)(void *context, struct failure *failure); /* 0 or -errno; may fill in failure->detail */
};

/* 0, or -errno with `failure` filled in. */
long steps_run(const struct step *steps, size_t count, enum stage stage, void *context, struct failure *failure);

/* False where no step of ours could have failed so. */
bool failure_is_sound(const struct failure *failure);

/* Puts `path` into the failure and passes `error` through. */
long failure_at(struct failure *failure, const char *path, long error);

#endif
