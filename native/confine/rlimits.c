#include "rlimits.h"

#include <sys/resource.h>

struct rlimit64_pair {
  uint64_t soft, hard;
};

/* Where the caller's own hard limit is lower, that is what holds: less than was asked for, never more. */
static long set(int resource, uint64_t value) {
  struct rlimit64_pair both;
  long result = SYS(prlimit64, 0, resource, 0, &both);
  if (result < 0) return result;
  if (both.hard > value) both.hard = value;
  both.soft = both.hard;
  return SYS(prlimit64, 0, resource, &both, 0);
}

long rlimits_apply_fixed(void) {
  static const struct {
    int resource;
    uint64_t value;
  } limits[] = {
      {RLIMIT_CORE, 1}, /* 0 would still start a core_pattern that is a program: core(5) */
      {RLIMIT_MSGQUEUE, 0},
      {RLIMIT_NICE, 0},
      {RLIMIT_RTPRIO, 0},
      {RLIMIT_MEMLOCK, 65536},
      /* Signals in wait count for the host's user as well, who could have none left. */
      {RLIMIT_SIGPENDING, 1024},
  };
  for (size_t i = 0; i < COUNT_OF(limits); i++) {
    long result = set(limits[i].resource, limits[i].value);
    if (result < 0) return result;
  }
  return 0;
}

long rlimits_apply(const struct task_order *order, struct failure *failure) {
  const struct {
    int resource;
    uint64_t value;
    const char *name;
  } limits[] = {
      {RLIMIT_NOFILE, order->open_files, "openFiles"},
      {RLIMIT_NPROC, order->processes, "processes"},
      {RLIMIT_CPU, order->cpu_seconds, "cpuMs"}, /* a backstop a process: the supervisor sums them all and is exact */
  };
  for (size_t i = 0; i < COUNT_OF(limits); i++) {
    long result = set(limits[i].resource, limits[i].value);
    if (result < 0) return failure_at(failure, limits[i].name, result);
  }
  return 0;
}
