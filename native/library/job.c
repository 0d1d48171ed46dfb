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
#include "inside.h"

static long own_session(void *abi, struct failure *failure) {
  (void)abi;
  (void)failure;
  long result = SYS(setsid);
  return result < 0 ? result : 0;
}

static long fixed_rlimits(void *abi, struct failure *failure) {
  (void)abi;
  (void)failure;
  return rlimits_apply_fixed();
}

static long job_ids(void *abi, struct failure *failure) {
  (void)abi;
  (void)failure;
  return ids_become_job(inside.job_id);
}

static long no_capabilities(void *abi, struct failure *failure) {
  (void)abi;
  (void)failure;
  return capabilities_keep(0);
}

static long no_new_privs(void *abi, struct failure *failure) {
  (void)abi;
  (void)failure;
  return SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long landlock(void *abi, struct failure *failure) {
  long result = landlock_restrict(inside.writable, inside.writable_bytes, failure);
  /* A second layer under the private root: where this kernel has none, the report says so. */
  if (result == -ENOSYS || result == -EOPNOTSUPP) result = 0;
  if (result < 0) return result;
  *(int32_t *)abi = (int32_t)result;
  return 0;
}

static const struct step enter_as_job[] = {
    {STEP_SESSION, own_session},
    {STEP_RLIMITS, fixed_rlimits},
    {STEP_IDS, job_ids},
    {STEP_CAPABILITIES, no_capabilities},
    {STEP_NO_NEW_PRIVS, no_new_privs},
    {STEP_LANDLOCK, landlock},
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
  int32_t abi = 0;
  if (steps_run(enter_as_job, COUNT_OF(enter_as_job), STAGE_ENTER, &abi, &failure) < 0) {
    report_failure(CONTROL_SOCKET, &failure);
    return NULL;
  }
  report(CONTROL_SOCKET, MESSAGE_PARKED, abi);
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
  long result = filter_install(inside.filter, inside.filter_count);
  if (result < 0) {
    report_failure(CONTROL_SOCKET, &(struct failure){STAGE_SEAL, STEP_FILTER, (int32_t)-result, ""});
    return -1;
  }
  report(CONTROL_SOCKET, MESSAGE_STARTED, 0);
  result = SYS(close_range, CONTROL_SOCKET, ~0u, 0);
  return result < 0 ? -1 : 0;
}
