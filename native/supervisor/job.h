/* A job, from the request for a process to the frame that tells its end. */
#ifndef PINFOLD_JOB_H
#define PINFOLD_JOB_H

#include "../confine/control.h"
#include "frames.h"

#define JOBS_MAX 2048
#define STDIN_WINDOW (256u << 10)

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

struct job {
  enum job_state state;
  uint32_t run; /* 0: a spare */
  uint32_t generation, sequence;
  int pid, main_process; /* pid 1 of the job, and a pidfd of the interpreter */
  int control, group, memory_event, proc, scratch;
  struct limits limits;
  unsigned char *task;
  size_t task_length, task_sent;
  struct task_order order;
  unsigned char inbox[sizeof(struct message)];
  size_t inbox_length;
  struct input input;
  struct stream output[2];
  enum reason reason;
  bool ended, reaped, failed;
  int end_status;
  struct failure failure;
  uint64_t spare_scratch_bytes, started_ns, deadline_ns, next_look_ns, wall_ns, memory_peak, cpu_used_ns;
  uint32_t tries;
  int pending_signal;
};

extern struct job jobs[JOBS_MAX];
extern uint32_t jobs_used; /* all above are free */

struct job *job_find(uint32_t run);
struct job *job_by_pid(int pid);
/* A free place, with descriptors empty; NULL where all are taken. */
struct job *job_new(void);
/* Closes and unmaps all that it owns. The place is free afterwards. */
void job_free(struct job *job);
uint32_t job_index(const struct job *job);
/* Records why it ends, unless that is known, and kills all of it. */
void job_kill(struct job *job, enum reason reason);

/* start: from a free place to code that runs. */
struct configuration;
long job_open(struct job *job); /* descriptors, and the request to the zygote; 0 or -errno */
void job_close_descriptors(struct job *job);
void job_forked(struct job *job, int pid);
bool job_keep_task(struct job *job, const unsigned char *task, size_t length);
void job_hand(struct job *job, const unsigned char *task, size_t length);
void job_control_ready(struct job *job, unsigned events);

/* streams */
long streams_open(struct job *job, int child[3]);
void streams_begin(struct job *job);
void streams_close(struct job *job);
void output_ready(struct job *job, int which);
void output_drain(struct job *job); /* of a job that is gone: all that is still in its pipes, as far as the host has room */
void outputs_resume(void);
bool input_write(struct job *job, const unsigned char *bytes, size_t length); /* false: more than was granted */
void input_end(struct job *job);
void input_ready(struct job *job);

/* limits */
void limits_begin(struct job *job);
void limits_check(struct job *job, uint64_t now_ns);
void limits_memory_event(struct job *job);
uint64_t limits_next_ns(const struct job *job);
void limits_measure_last(struct job *job); /* before it is killed */
void limits_measure_end(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes);

/* end */
void job_reaped(struct job *job);
/* Tells the host and frees the place, once it is reaped and its output is through. */
void job_finish_if_done(struct job *job);
void job_fail(struct job *job, const struct failure *failure);

/* What the parts above call for the whole. */
void supervisor_spare_parked(struct job *job, int32_t landlock_abi);
void supervisor_spare_failed(const struct failure *failure);
void supervisor_place_free(void);
bool supervisor_has_ids_of_its_own(uint32_t *uid);

#endif
