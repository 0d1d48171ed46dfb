/*
 * What a job uses. Where control groups count, the kernel is asked; where they don't (an unprivileged caller), the
 * processes of the job's pid namespace are summed.
 */
#include "job_usage.h"

#include <linux/fcntl.h>
#include <signal.h>
#include <sys/statfs.h>

#include "../confine/control_groups.h"

#define PAGE_BYTES 4096
#define TICK_NS 10000000ull /* USER_HZ is 100 for every program on every architecture here */

struct sum {
  uint64_t resident_bytes, cpu_ns;
};

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

static bool counts(enum controller controller) { return control_groups_version(controller) != 0; }

/* Resident pages count those that are shared with the zygote once a process: an upper bound, and cheap. Only where that
 * is past the limit are the shares summed. */
static uint64_t memory_used(struct job *job, uint64_t resident_bytes) {
  uint64_t scratch = scratch_used(job);
  if (resident_bytes + scratch <= job->limits.memory_bytes) return resident_bytes + scratch;
  struct sum shares = {0, 0};
  each_process(job, add_shares, &shares);
  return shares.resident_bytes + scratch;
}

static void note_cpu(struct job *job, uint64_t cpu_ns) {
  if (cpu_ns > job->cpu_used_ns) job->cpu_used_ns = cpu_ns;
}

void usage_sample(struct job *job) {
  struct sum sum = {0, 0};
  bool sampled = !(counts(CONTROLLER_MEMORY) && counts(CONTROLLER_CPU)) && open_views(job);
  if (sampled) each_process(job, add_process, &sum);
  note_cpu(job, counts(CONTROLLER_CPU) ? control_group_cpu_ns(job->group) : sum.cpu_ns);
  if (counts(CONTROLLER_MEMORY) || !sampled) return;
  job->memory_used = memory_used(job, sum.resident_bytes);
  if (job->memory_used > job->memory_peak) job->memory_peak = job->memory_used;
}

/* What is killed with its pid namespace is reaped unseen: the kernel adds it to nobody's rusage. */
void usage_sample_last(struct job *job) {
  if (!counts(CONTROLLER_CPU) && job->started_ns) usage_sample(job);
}

bool usage_is_out_of_memory(const struct job *job) {
  return job->started_ns && job->group >= 0 && control_group_out_of_memory(job->group);
}

void usage_measure_end(struct job *job, uint64_t rusage_cpu_ns, uint64_t rusage_peak_bytes) {
  bool grouped = job->started_ns && job->group >= 0;
  note_cpu(job, grouped && counts(CONTROLLER_CPU) ? control_group_cpu_ns(job->group) : rusage_cpu_ns);
  if (grouped && counts(CONTROLLER_MEMORY)) job->memory_peak = control_group_memory_peak(job->group);
  else if (job->memory_peak < rusage_peak_bytes && rusage_peak_bytes <= job->limits.memory_bytes)
    job->memory_peak = rusage_peak_bytes;
}
