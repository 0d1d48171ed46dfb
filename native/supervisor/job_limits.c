/*
 * Deadlines, and what a job uses. Where control groups count, the kernel is asked; where they don't (an unprivileged
 * caller), the processes of the job's pid namespace are summed here, as often as they could matter.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <signal.h>
#include <sys/statfs.h>

#include "../confine/control_groups.h"
#include "host.h"
#include "job.h"

#define MS 1000000ull
#define PAGE_BYTES 4096
#define TICK_NS 10000000ull /* USER_HZ is 100 for every program on every architecture here */
#define LOOK_LEAST_NS (2 * MS)
#define LOOK_MOST_NS (25 * MS)
#define FILL_BYTES_PER_MS (4ull << 20) /* about as fast as two cores touch new pages */

struct sum {
  uint64_t resident_bytes, cpu_ns;
};

static uint64_t cores(void) {
  static uint64_t known;
  if (known) return known;
  uint64_t mask[16] = {0};
  long size = SYS(sched_getaffinity, 0, sizeof mask, mask);
  for (long i = 0; i < size / 8; i++)
    for (; mask[i]; mask[i] &= mask[i] - 1) known++;
  return known ? known : (known = 1);
}

/* --- sampling --- */

static bool open_views(struct job *job) {
  if (job->proc >= 0) return true;
  TEXT(path, 64);
  text_add(text_add_number(text_add(&path, "/proc/"), (uint64_t)job->pid), "/root/proc");
  job->proc = (int)SYS(openat, AT_FDCWD, path.start, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  path.length -= 4;
  text_add(&path, "tmp");
  job->scratch = (int)SYS(openat, AT_FDCWD, path.start, O_PATH | O_CLOEXEC, 0);
  return job->proc >= 0;
}

static void next_numbers(const char *at, int skip, uint64_t *numbers, int count) {
  for (int i = 0; i < skip + count && *at; i++) {
    while (*at == ' ') at++;
    uint64_t number = 0;
    const char *from = at;
    if (!text_number(&from, &number)) number = 0;
    if (i >= skip) numbers[i - skip] = number;
    while (*at && *at != ' ') at++;
  }
}

/* /proc/PID/stat: the name, in brackets, may hold anything, so the fields are counted from the last bracket. */
static void add_process(int proc, const char *pid, struct sum *sum) {
  TEXT(path, 48);
  char stat[1024];
  text_add(text_add(&path, pid), "/stat");
  if (file_read(proc, path.start, stat, sizeof stat) <= 0) return;
  const char *end = stat;
  for (const char *at = stat; *at; at++)
    if (*at == ')') end = at + 1;
  uint64_t times[4] = {0}, memory[2] = {0};
  next_numbers(end, 11, times, 4); /* utime, stime, cutime, cstime */
  next_numbers(end, 20, memory, 2); /* vsize, rss */
  sum->cpu_ns += (times[0] + times[1] + times[2] + times[3]) * TICK_NS;
  sum->resident_bytes += memory[1] * PAGE_BYTES;
}

struct directory_entry {
  uint64_t inode, offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

static void each_process(struct job *job, void (*add)(int proc, const char *pid, struct sum *), struct sum *sum) {
  char entries[4096];
  long got;
  SYS(lseek, job->proc, 0, 0);
  while ((got = SYS(getdents64, job->proc, entries, sizeof entries)) > 0)
    for (long at = 0; at < got;) {
      struct directory_entry *entry = (struct directory_entry *)(entries + at);
      at += entry->length;
      if (entry->name[0] >= '1' && entry->name[0] <= '9') add(job->proc, entry->name, sum);
    }
}

static uint64_t value_of(const char *table, const char *key) {
  uint64_t number = 0;
  for (const char *line = table; *line; line = text_next_line(line)) {
    if (!text_starts(line, key)) continue;
    const char *at = line + strlen(key);
    while (*at == ' ') at++;
    return text_number(&at, &number) ? number : 0;
  }
  return 0;
}

/* Anonymous memory by its proportional share, so that what all share with the zygote isn't counted for each. */
static void add_shares(int proc, const char *pid, struct sum *sum) {
  TEXT(path, 48);
  char table[2048];
  text_add(text_add(&path, pid), "/smaps_rollup");
  if (file_read(proc, path.start, table, sizeof table) <= 0) return;
  sum->resident_bytes += (value_of(table, "Pss_Anon:") + value_of(table, "Pss_Shmem:")) * 1024;
}

static uint64_t scratch_used(const struct job *job) {
  struct statfs file_system;
  if (job->scratch < 0 || SYS(fstatfs, job->scratch, &file_system) < 0) return 0;
  return (uint64_t)(file_system.f_blocks - file_system.f_bfree) * (uint64_t)file_system.f_bsize;
}

static void sample_memory(struct job *job, uint64_t resident_bytes) {
  uint64_t scratch = scratch_used(job), used = resident_bytes + scratch;
  /* Resident pages count those shared with the zygote once a process: an upper bound, cheap. Only past it is it exact. */
  if (used > job->limits.memory_bytes) {
    struct sum shares = {0, 0};
    each_process(job, add_shares, &shares);
    used = shares.resident_bytes + scratch;
    if (used > job->limits.memory_bytes) job_kill(job, REASON_MEMORY);
  }
  if (used > job->memory_peak) job->memory_peak = used;
}

/* --- looking --- */

static bool counts(enum controller controller) { return control_groups_version(controller) != 0; }

static uint64_t memory_wait_ns(const struct job *job, uint64_t used) {
  uint64_t left = job->limits.memory_bytes > used ? job->limits.memory_bytes - used : 0;
  uint64_t wait = left / FILL_BYTES_PER_MS * MS;
  return wait < LOOK_LEAST_NS ? LOOK_LEAST_NS : wait > LOOK_MOST_NS ? LOOK_MOST_NS : wait;
}

static uint64_t cpu_wait_ns(const struct job *job) {
  uint64_t left = job->limits.cpu_ns > job->cpu_used_ns ? job->limits.cpu_ns - job->cpu_used_ns : 0;
  uint64_t wait = left / cores();
  return wait < LOOK_LEAST_NS ? LOOK_LEAST_NS : wait;
}

static void look(struct job *job, uint64_t now) {
  struct sum sum = {0, 0};
  bool sampled = !(counts(CONTROLLER_MEMORY) && counts(CONTROLLER_CPU)) && open_views(job);
  if (sampled) each_process(job, add_process, &sum);
  if (counts(CONTROLLER_CPU)) job->cpu_used_ns = control_group_cpu_ns(job->group);
  else if (sum.cpu_ns > job->cpu_used_ns) job->cpu_used_ns = sum.cpu_ns;
  if (job->cpu_used_ns >= job->limits.cpu_ns) job_kill(job, REASON_CPU);
  job->next_look_ns = now + cpu_wait_ns(job);
  if (counts(CONTROLLER_MEMORY)) {
    limits_memory_event(job);
    return;
  }
  if (sampled) sample_memory(job, sum.resident_bytes);
  uint64_t again = now + memory_wait_ns(job, sum.resident_bytes);
  if (again < job->next_look_ns) job->next_look_ns = again;
}

void limits_begin(struct job *job) {
  job->started_ns = clock_ns();
  job->deadline_ns = job->started_ns + job->limits.wall_ns;
  job->next_look_ns = job->started_ns + cpu_wait_ns(job);
  if (!counts(CONTROLLER_MEMORY)) job->next_look_ns = job->started_ns + LOOK_LEAST_NS;
}

static bool timed(const struct job *job) {
  return (job->state == JOB_HANDED || job->state == JOB_RUNNING) && !job->reaped && job->reason == REASON_NONE;
}

uint64_t limits_next_ns(const struct job *job) {
  if (!timed(job)) return 0;
  return job->next_look_ns < job->deadline_ns ? job->next_look_ns : job->deadline_ns;
}

void limits_check(struct job *job, uint64_t now) {
  if (!timed(job)) return;
  if (now >= job->deadline_ns) job_kill(job, REASON_WALL);
  else if (now >= job->next_look_ns) look(job, now);
}

/* The kernel has killed one process for memory, maybe not the one that the job can't do without: the limit is the job's,
 * so all of it ends. */
void limits_memory_event(struct job *job) {
  if (job->memory_event >= 0) {
    uint64_t count;
    SYS(read, job->memory_event, &count, sizeof count);
  }
  if (job->group >= 0 && !job->reaped && timed(job) && control_group_out_of_memory(job->group)) job_kill(job, REASON_MEMORY);
}

/* What is killed with its pid namespace is reaped unseen: the kernel adds it to nobody's rusage. */
void limits_measure_last(struct job *job) {
  struct sum sum = {0, 0};
  if (counts(CONTROLLER_CPU) || !job->started_ns || !open_views(job)) return;
  each_process(job, add_process, &sum);
  if (sum.cpu_ns > job->cpu_used_ns) job->cpu_used_ns = sum.cpu_ns;
}

void limits_measure_end(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes) {
  bool began = job->started_ns != 0 && job->group >= 0;
  if (began && counts(CONTROLLER_CPU)) job->cpu_used_ns = control_group_cpu_ns(job->group);
  else if (rusage_cpu_ns > job->cpu_used_ns) job->cpu_used_ns = rusage_cpu_ns;
  if (began && counts(CONTROLLER_MEMORY)) job->memory_peak = control_group_memory_peak(job->group);
  else if (job->memory_peak < rusage_peak_bytes && rusage_peak_bytes <= job->limits.memory_bytes)
    job->memory_peak = rusage_peak_bytes;
  if (job->reason == REASON_NONE && began && control_group_out_of_memory(job->group)) job->reason = REASON_MEMORY;
  /* The rlimit's kill is a bare signal: it can't come before the job has used its time. */
  int status = job->end_status & 0x7f;
  if (job->reason == REASON_NONE && job->ended && status == SIGKILL && job->cpu_used_ns >= job->limits.cpu_ns)
    job->reason = REASON_CPU;
}
