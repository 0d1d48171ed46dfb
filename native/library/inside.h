/* What the zygote, pid 1 and the job share: each is a fork of the one before, so this is one structure, inherited. */
#ifndef PINFOLD_INSIDE_H
#define PINFOLD_INSIDE_H

#include <linux/filter.h>

#include "../confine/control.h"
#include "../confine/descriptors.h"

/* In pid 1 and, until it is sealed, in the job. */
#define CONTROL_SOCKET 3
/* Of pid 1 alone. */
#define DENIALS_MEMORY 4
/* The job hands its listener over to pid 1. */
#define LISTENER_TO_INIT 5
#define LISTENER_FROM_JOB 6

struct inside {
  uint32_t job_id;
  uint32_t filter_count;
  struct sock_filter filter[FILTER_MAX];
  uint32_t shown_count;
  struct shown shown[SHOWN_MAX];
  uint32_t writable_bytes;
  char writable[WRITABLE_MAX];
  bool tries_canary, is_awaited;
  bool network;
  bool root_group;
  unsigned char *task;
  size_t task_length;
};

extern struct inside inside;

void report(int socket, const struct message *message);
void report_failure(int socket, const struct failure *failure);
void leave(int status) __attribute__((noreturn));

#endif
