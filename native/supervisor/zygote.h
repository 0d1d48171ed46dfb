/* The zygote as the supervisor sees it: start, messages, loss, and another start. */
#ifndef PINFOLD_ZYGOTE_H
#define PINFOLD_ZYGOTE_H

#include "../confine/ids.h"
#include "configuration.h"

enum zygote_state { ZYGOTE_NONE, ZYGOTE_STARTING, ZYGOTE_READY };

struct zygote {
  enum zygote_state state;
  uint32_t generation;
  int pid, socket, log;
  uint64_t deadline_ns; /* to be ready */
  bool canary_sent;     /* its first job was asked to try what must fail */
  struct host_ids ids;
};

extern struct zygote zygote;

void zygote_start(const struct configuration *configuration, uint32_t supervisor_pid);
/* True while forks can be asked for. */
bool zygote_serves(void);
/* Has it close mounts of a job that is gone. False where it can't. */
bool zygote_release(int mounts);
/* Asks for a new pid 1 with these descriptors (control, stdin, stdout, stderr, denials). `flags`: FORK_*. 0 or -errno. */
long zygote_fork(uint64_t scratch_bytes, uint32_t flags, const int fds[FORK_DESCRIPTORS]);

/* What zygote_readable and zygote_reaped find out. */
struct zygote_events {
  void (*ready)(void);
  bool (*forked)(int32_t pid_or_error); /* false: that can't be */
  void (*failed)(const struct failure *failure, const char *detail); /* it can't be started; it is gone */
  void (*lost)(int status);                                           /* it served, and is gone */
};

void zygote_readable(const struct zygote_events *events);
void zygote_log_readable(void);
void zygote_reaped(int status, const struct zygote_events *events);
void zygote_check_deadline(uint64_t now_ns);

#endif
