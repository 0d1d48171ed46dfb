/*
 * What the supervisor, a zygote and a job say to one another. All three are the same build, so these are plain structures;
 * sizes are checked all the same, and the supervisor believes nothing that arrives after a job has started but
 * MESSAGE_ENDED, which only pid 1 can send, since the job has closed its copy of the socket by then.
 */
#ifndef PINFOLD_CONTROL_H
#define PINFOLD_CONTROL_H

#include "denials.h"
#include "steps.h"

enum message_kind {
  MESSAGE_MAP = 1, /* zygote: in its user namespace, waits for its id maps */
  MESSAGE_READY,   /* zygote: preloaded, serves */
  MESSAGE_FORKED,  /* zygote: value is the pid of a new pid 1, or -errno */
  MESSAGE_FAILED,  /* zygote or job */
  MESSAGE_PARKED,  /* job: confined and sealed, waits for its task; value is the Landlock ABI */
  MESSAGE_STARTED, /* job: has its task, and begins */
  MESSAGE_ENDED,   /* pid 1: value is the wait status of the job's main process */
};

#define PARKED_UNTOLD 1 /* a flag of MESSAGE_PARKED: refused calls are refused, but nobody is told */

/* Upwards. */
struct message {
  uint32_t kind;
  int32_t value;
  uint32_t flags;
  struct failure failure;
};

enum order_kind { ORDER_MAPPED = 1, ORDER_SERVE, ORDER_FORK, ORDER_RELEASE, ORDER_ENTER, ORDER_TASK };

/* Where a job finds itself; fixed, so that every program may rely on it. */
#define PATH_WORK "/work"
#define PATH_TMP "/tmp"
#define PATH_SHM "/dev/shm"
#define PATH_INSIDE "/.pinfold"

#define FILTER_MAX 4096
#define WRITABLE_MAX 4096

/* To the zygote once, before it serves: what every job of it gets. Filter, shown arguments and paths follow the structure. */
struct serve_order {
  uint32_t kind;
  uint32_t job_id;         /* uid and gid of a job in the zygote's user namespace */
  uint32_t filter_count;   /* instructions */
  uint32_t shown_count;
  uint32_t writable_bytes; /* NUL-terminated paths of writable mounts, one after the other */
  uint32_t network;        /* 1: jobs share the host's network */
  uint32_t root_group;     /* 1: jobs are in the host's group 0 */
};

#define FORK_DESCRIPTORS 5
#define FORK_CANARY 1  /* a flag: this job tries what must fail before it parks */
#define FORK_AWAITED 2 /* a flag: a run waits for this very job */

/* To the zygote, with its descriptors: control, stdin, stdout, stderr, the memory of its table of denials. One more may follow,
 * of mounts that are to be released; with ORDER_RELEASE it is the only one. */
struct fork_order {
  uint32_t kind;
  uint32_t flags;
  uint64_t scratch_bytes;
};

/* To pid 1, when it is in its control groups. */
struct enter_order {
  uint32_t kind;
};

/* To the job; `task_length` bytes follow. */
struct task_order {
  uint32_t kind;
  uint32_t processes;
  uint32_t open_files;
  uint32_t cpu_seconds;
  uint64_t task_length;
};

#endif
