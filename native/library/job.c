/* The job, from the interpreter's fork to the moment it is sealed. */
#include <asm/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "../confine/capabilities.h"
#include "../confine/filter.h"
#include "../confine/ids.h"
#include "../confine/landlock.h"
#include "../confine/rlimits.h"
#include "../include/pinfold.h"
#include "canary.h"
#include "inside.h"

/* What PARKED says. */
struct parking {
  int32_t landlock_abi;
  uint32_t flags;
};

/* What is pid 1's alone. */
static long close_foreign(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  SYS(close, DENIALS_MEMORY);
  return SYS(close, LISTENER_FROM_JOB);
}

static long own_session(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  long result = SYS(setsid);
  return result < 0 ? result : 0;
}

static long fixed_rlimits(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  return rlimits_apply_fixed();
}

static long job_ids(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  return ids_become_job(inside.job_id);
}

static long no_capabilities(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  return capabilities_keep(0);
}

static long no_new_privs(void *parking, struct failure *failure) {
  (void)parking;
  (void)failure;
  return SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long landlock(void *parking, struct failure *failure) {
  long result = landlock_restrict(inside.writable, inside.writable_bytes, inside.network, failure);
  /* A second layer under the private root: where this kernel has none, the report says so. */
  if (result == -ENOSYS || result == -EOPNOTSUPP) result = 0;
  if (result < 0) return result;
  ((struct parking *)parking)->landlock_abi = (int32_t)result;
  return 0;
}

/* The first half of seal. From here on this process may do what untrusted code may do, which is all that it still needs. */
static long filter(void *parking, struct failure *failure) {
  (void)failure;
  int listener = -1;
  long result = filter_install(inside.filter, inside.filter_count, &listener);
  if (result < 0) return result;
  if (listener < 0) ((struct parking *)parking)->flags |= PARKED_UNTOLD;
  else result = socket_send(LISTENER_TO_INIT, "", 1, &listener, 1);
  descriptor_close(&listener);
  SYS(close, LISTENER_TO_INIT);
  return result < 0 ? result : 0;
}

static long canary(void *parking, struct failure *failure) {
  (void)parking;
  return inside.tries_canary ? canary_try(failure) : 0;
}

static const struct step enter_as_job[] = {
    {STEP_DESCRIPTORS, close_foreign},
    {STEP_SESSION, own_session},
    {STEP_RLIMITS, fixed_rlimits},
    {STEP_IDS, job_ids},
    {STEP_CAPABILITIES, no_capabilities},
    {STEP_NO_NEW_PRIVS, no_new_privs},
    {STEP_LANDLOCK, landlock},
};

static const struct step seal[] = {
    {STEP_FILTER, filter},
    {STEP_CANARY, canary},
};

static long read_task(const struct task_order *order) {
  inside.task_length = order->task_length;
  long room = SYS(mmap, 0, inside.task_length + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room < 0 && room > -4096) return room;
  inside.task = (unsigned char *)room;
  return descriptor_read_all(CONTROL_SOCKET, inside.task, inside.task_length);
}

const unsigned char *pinfold_receive(size_t *length) {
  struct failure failure = {0};
  struct parking parking = {0, 0};
  if (steps_run(enter_as_job, COUNT_OF(enter_as_job), STAGE_ENTER, &parking, &failure) < 0 ||
      steps_run(seal, COUNT_OF(seal), STAGE_SEAL, &parking, &failure) < 0) {
    report_failure(CONTROL_SOCKET, &failure);
    return NULL;
  }
  report(CONTROL_SOCKET, &(struct message){.kind = MESSAGE_PARKED, .value = parking.landlock_abi, .flags = parking.flags});
  struct task_order order;
  if (descriptor_read_all(CONTROL_SOCKET, &order, sizeof order) < 0) return NULL; /* a spare that nobody wanted */
  failure.stage = STAGE_ENTER;
  failure.step = STEP_TASK;
  long result = order.kind == ORDER_TASK ? read_task(&order) : -EPROTO;
  if (result == 0) {
    failure.step = STEP_RLIMITS;
    result = rlimits_apply(&order, &failure);
  }
  if (result < 0) {
    failure.error = (int32_t)-result;
    report_failure(CONTROL_SOCKET, &failure);
    return NULL;
  }
  *length = inside.task_length;
  return inside.task;
}

int pinfold_seal(void) {
  SYS(munmap, inside.task, inside.task_length + 1);
  report(CONTROL_SOCKET, &(struct message){.kind = MESSAGE_STARTED});
  return SYS(close_range, CONTROL_SOCKET, ~0u, 0) < 0 ? -1 : 0;
}
