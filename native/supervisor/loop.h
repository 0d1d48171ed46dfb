/* One epoll set; each source of events is a kind and an index. */
#ifndef PINFOLD_LOOP_H
#define PINFOLD_LOOP_H

#include "../base/base.h"

enum source {
  SOURCE_HOST = 1,
  SOURCE_SIGNALS,
  SOURCE_ZYGOTE,
  SOURCE_ZYGOTE_LOG,
  SOURCE_JOB_CONTROL,
  SOURCE_JOB_STDIN,
  SOURCE_JOB_STDOUT,
  SOURCE_JOB_STDERR,
  SOURCE_JOB_MEMORY,
  SOURCE_ASK_STDOUT,
  SOURCE_ASK_STDERR,
};

enum interest { INTEREST_READ = 1, INTEREST_WRITE = 4 };

long loop_open(void);
/* `generation` tells an event of an earlier user of the same index from one of its present user. */
long loop_add(int fd, enum source source, uint32_t index, uint32_t generation, unsigned interest);
void loop_change(int fd, enum source source, uint32_t index, uint32_t generation, unsigned interest);
/* The kernel tells hang-ups even to those who asked for nothing: what is not to be heard of must be removed. */
void loop_remove(int fd);
/* Waits until an event or `deadline_ns` (0: none), then passes each event on. */
void loop_turn(uint64_t deadline_ns, void (*handle)(enum source, uint32_t index, uint32_t generation, unsigned events));

#endif
