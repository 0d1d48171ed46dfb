/* A job, from the request for a process to the frame that tells its end: what is known of it, and the table of all. */
#ifndef PINFOLD_JOB_H
#define PINFOLD_JOB_H

#include "../confine/control.h"
#include "frames.h"

#define JOBS_MAX 2048
#define STDIN_WINDOW (256u << 10)
#define SEEN_MAX 1024
#define SEEN_BYTES (2 * SEEN_MAX * sizeof(struct seen_process))

enum job_state {
  JOB_FREE,
  JOB_WAITING,  /* has a run, but no zygote to fork from yet */
  JOB_FORKING,  /* asked for */
  JOB_ENTERING, /* its pid is known; it confines itself */
  JOB_PARKED,   /* a spare */
  JOB_HANDED,   /* its task is under way or there, it has not said that it is sealed */
  JOB_RUNNING,
};

struct limits {
  uint64_t wall_ns, cpu_ns, memory_bytes, output_bytes, scratch_bytes;
  uint32_t processes, open_files;
  bool kill_on_output_limit, stdin_streamed;
};

struct stream {
  int fd;
  uint64_t bytes;
  bool truncated, paused;
};

struct input {
  int fd;
  unsigned char *buffer; /* STDIN_WINDOW bytes, once needed */
  size_t start, length;
  uint32_t granted; /* what the host may still send */
  bool ended, watched;
};

/* The processor time of a process when it was last looked at. */
struct seen_process {
  uint32_t pid;
  uint64_t cpu_ns;
};

struct job {
  enum job_state state;
  uint32_t run; /* 0: a spare */
  uint32_t generation, sequence; /* as it was made */
  uint32_t fork_sequence;         /* as it was asked of the zygote, which answers in that order */
  int pid, main_process; /* pid 1 of the job, and a pidfd of the interpreter */
  int control, group, memory_event, proc, scratch;
  int mounts; /* its mount namespace, which so outlives it: see old_mounts.h */
  struct limits limits;
  unsigned char *task;
  size_t task_length, task_sent;
  struct task_order order;
  unsigned char inbox[sizeof(struct message)];
  size_t inbox_length;
  struct input input;
  struct stream output[2];
  enum reason reason;
  bool is_ready; /* it has said that it is confined */
  bool ended, reaped, failed;
  int32_t landlock_abi;
  bool is_untold; /* its refused calls are refused, but not counted */
  int end_status;
  struct failure failure;
  uint64_t spare_scratch_bytes, started_ns, deadline_ns, next_look_ns, wall_ns, memory_used, memory_peak, cpu_used_ns;
  struct seen_process *seen; /* two lists of SEEN_MAX: the last look's, and that in the making */
  uint32_t seen_count;
  uint64_t seen_cpu_ns, look_took_ns;
  uint32_t tries;
  int pending_signal;
};

extern struct job jobs[JOBS_MAX];
extern uint32_t jobs_used; /* all above are free */

struct job *job_find(uint32_t run);
struct job *job_by_pid(int pid);
/* A free place, with descriptors empty; NULL where all are taken. */
struct job *job_new(void);
uint32_t job_index(const struct job *job);
/* A copy of the task, for as long as it can't be handed over. False where there is no memory. */
bool job_keep_task(struct job *job, const unsigned char *task, size_t length);
void job_drop_task(struct job *job);
void job_close_descriptors(struct job *job);
/* Closes and unmaps all that it owns. The place is free afterwards. */
void job_free(struct job *job);

#endif
