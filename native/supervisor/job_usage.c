/*
 * What a job uses. Where control groups count, the kernel is asked; where they don't (an unprivileged caller), the
 * processes of the job's pid namespace are summed.
 */
#include "job_usage.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <sys/statfs.h>

#include "../confine/control_groups.h"

#define PAGE_BYTES 4096
#define TABLES_SHARE 4 /* the part of the limit that page tables may be */
#define TICK_NS 10000000ull /* USER_HZ is 100 for every program on every architecture here */

struct sum {
  struct job *job;
  uint64_t memory_bytes, table_bytes, cpu_ns;
  struct seen_process *before, *now; /* pids rise in both, as /proc lists them */
  uint32_t before_left, now_count;
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

static uint64_t value_of(const char *table, const char *key) {
  uint64_t number = 0;
  for (const char *line = table; *line; line = text_next_line(line)) {
    if (!text_starts(line, key)) continue;
    const char *at = line + strlen(key);
    while (*at == ' ' || *at == '\t') at++;
    return text_number(&at, &number) ? number : 0;
  }
  return 0;
}

static long read_of(int proc, const char *pid, const char *file, char *table, size_t size) {
  TEXT(path, 48);
  text_add(text_add(&path, pid), file);
  return file_read(proc, path.start, table, size);
}

/* Adds what a process has used since the last look. Its parent may never wait for it, and then its time is in nobody's
 * sum: what has been seen of it stays counted. */
static void remember(struct sum *sum, uint32_t pid, uint64_t cpu_ns) {
  if (!sum->now || sum->now_count == SEEN_MAX) return;
  while (sum->before_left && sum->before->pid < pid) sum->before++, sum->before_left--;
  bool known = sum->before_left && sum->before->pid == pid && sum->before->cpu_ns <= cpu_ns;
  sum->job->seen_cpu_ns += known ? cpu_ns - sum->before->cpu_ns : cpu_ns;
  sum->now[sum->now_count++] = (struct seen_process){pid, cpu_ns};
}

/* /proc/PID/stat: the name, in brackets, may hold anything, so the fields are counted from the last bracket. */
static void add_times(int proc, const char *pid, struct sum *sum) {
  char stat[1024];
  if (read_of(proc, pid, "/stat", stat, sizeof stat) <= 0) return;
  const char *end = stat;
  for (const char *at = stat; *at; at++)
    if (*at == ')') end = at + 1;
  uint64_t times[4] = {0}, number = 0; /* utime, stime, cutime, cstime */
  next_numbers(end, 11, times, 4);
  sum->cpu_ns += (times[0] + times[1] + times[2] + times[3]) * TICK_NS;
  if (text_number(&pid, &number)) remember(sum, (uint32_t)number, (times[0] + times[1]) * TICK_NS);
}

/* Page tables as well: a map of untouched pages may have any number of them. */
static void add_process(int proc, const char *pid, struct sum *sum) {
  char status[4096];
  add_times(proc, pid, sum);
  if (read_of(proc, pid, "/status", status, sizeof status) <= 0) return;
  sum->memory_bytes += value_of(status, "VmRSS:") * 1024;
  sum->table_bytes += value_of(status, "VmPTE:") * 1024;
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

/* Anonymous memory by its proportional share, so that what all share with the zygote isn't counted for each. */
static void add_shares(int proc, const char *pid, struct sum *sum) {
  char table[4096];
  if (read_of(proc, pid, "/smaps_rollup", table, sizeof table) <= 0) return;
  sum->memory_bytes += (value_of(table, "Pss_Anon:") + value_of(table, "Pss_Shmem:")) * 1024;
}

static uint64_t scratch_used(const struct job *job) {
  struct statfs file_system;
  if (job->scratch < 0 || SYS(fstatfs, job->scratch, &file_system) < 0) return 0;
  return (uint64_t)(file_system.f_blocks - file_system.f_bfree) * (uint64_t)file_system.f_bsize;
}

static bool counts(enum controller controller) { return control_groups_version(controller) != 0; }

/* Resident pages count those that are shared with the zygote once a process: an upper bound, and cheap. Only where that
 * is past the limit are the shares summed. */
static uint64_t memory_used(struct job *job, const struct sum *sum) {
  uint64_t limit = job->limits.memory_bytes, counted = scratch_used(job) + sum->table_bytes;
  uint64_t upper = sum->memory_bytes + counted;
  /* A walk takes as long as the tables are large. No program fills so many of them that is not after that very thing. */
  if (upper <= limit || sum->table_bytes > limit / TABLES_SHARE) return upper;
  struct sum shares = {.job = job};
  each_process(job, add_shares, &shares);
  return shares.memory_bytes + counted;
}

static void note_cpu(struct job *job, uint64_t cpu_ns) {
  if (cpu_ns > job->cpu_used_ns) job->cpu_used_ns = cpu_ns;
}

static bool open_seen(struct job *job) {
  if (job->seen) return true;
  long room = SYS(mmap, 0, SEEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room < 0 && room > -4096) return false;
  job->seen = (struct seen_process *)room;
  return true;
}

static void sum_processes(struct job *job, struct sum *sum) {
  if (open_seen(job)) {
    sum->before = job->seen;
    sum->before_left = job->seen_count;
    sum->now = job->seen + SEEN_MAX;
  }
  each_process(job, add_process, sum);
  if (!sum->now) return;
  memcpy(job->seen, sum->now, sum->now_count * sizeof *sum->now);
  job->seen_count = sum->now_count;
}

void usage_sample(struct job *job) {
  uint64_t began = clock_cpu_ns();
  struct sum sum = {.job = job};
  bool sampled = !(counts(CONTROLLER_MEMORY) && counts(CONTROLLER_CPU)) && open_views(job);
  if (sampled) sum_processes(job, &sum);
  if (counts(CONTROLLER_CPU)) note_cpu(job, control_group_cpu_ns(job->group));
  else note_cpu(job, sum.cpu_ns > job->seen_cpu_ns ? sum.cpu_ns : job->seen_cpu_ns);
  if (!counts(CONTROLLER_MEMORY) && sampled) job->memory_used = memory_used(job, &sum);
  if (job->memory_used > job->memory_peak) job->memory_peak = job->memory_used;
  job->look_took_ns = clock_cpu_ns() - began;
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
