/* What the zygote, pid 1 and the job share: each is a fork of the one before, so this is one structure, inherited. */
#ifndef PINFOLD_INSIDE_H
#define PINFOLD_INSIDE_H

#include <linux/filter.h>

#include "../confine/control.h"
#include "../confine/descriptors.h"

#define CONTROL_SOCKET 3 /* in pid 1 and, until it is sealed, in the job */

struct inside {
  uint32_t job_id;
  uint32_t filter_count;
  struct sock_filter filter[FILTER_MAX];
  uint32_t writable_bytes;
  char writable[WRITABLE_MAX];
  unsigned char *task;
  size_t task_length;
};

extern struct inside inside;

void report(int socket, enum message_kind kind, int32_t value);
void report_failure(int socket, const struct failure *failure);
void leave(int status) __attribute__((noreturn));

#endif
