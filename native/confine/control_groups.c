#include "control_groups.h"

#include <asm/errno.h>
#include <linux/fcntl.h>

#include "control_group_paths.h"

#define PREFIX "pinfold-"
#define PATH_LIMIT 1024

/* What is read or written for every job: kept open, since a look-up takes longer than the reading. */
enum group_file { FILE_CPU, FILE_KILLS, FILE_PEAK, FILE_USED, FILE_PROCESSES, FILE_PROCESSES_PEAK, FILE_COUNT };

struct group {
  bool taken;
  int directory[CONTROLLER_COUNT];
  int entrance[CONTROLLER_COUNT]; /* cgroup.procs; only one where one directory serves several controllers */
  int memory_event;
  int file[FILE_COUNT];
  struct group_limits limits; /* as they are in force; 0 where that isn't known */
  uint64_t cpu_base_ns, kills_base;
};

static struct {
  uint32_t owner;
  int version[CONTROLLER_COUNT];
  char parent[CONTROLLER_COUNT][PATH_LIMIT]; /* the caller's own group in each hierarchy */
  struct group groups[GROUPS_MAX];
  struct group_limits last; /* of the last run: the next one will have the same ones, most likely */
} state;

static const char *const v1_names[CONTROLLER_COUNT] = {"memory", "pids", "cpuacct"};
static const char *const v2_names[CONTROLLER_COUNT] = {"memory", "pids", "cpu"};

static const struct {
  enum controller controller;
  struct {
    const char *name;
    int mode;
  } by_version[2];
} group_files[FILE_COUNT] = {
    [FILE_CPU] = {CONTROLLER_CPU, {{"cpuacct.usage", O_RDONLY}, {"cpu.stat", O_RDONLY}}},
    [FILE_KILLS] = {CONTROLLER_MEMORY, {{"memory.oom_control", O_RDONLY}, {"memory.events", O_RDONLY}}},
    [FILE_PEAK] = {CONTROLLER_MEMORY, {{"memory.max_usage_in_bytes", O_RDWR}, {"memory.peak", O_RDONLY}}},
    [FILE_USED] = {CONTROLLER_MEMORY, {{"memory.usage_in_bytes", O_RDONLY}, {"memory.current", O_RDONLY}}},
    [FILE_PROCESSES] = {CONTROLLER_PIDS, {{"pids.max", O_RDWR}, {"pids.max", O_RDWR}}},
    [FILE_PROCESSES_PEAK] = {CONTROLLER_PIDS, {{"pids.peak", O_RDONLY}, {"pids.peak", O_RDONLY}}},
};

int control_groups_version(enum controller controller) { return state.version[controller]; }

/* --- where the caller's own groups are --- */

static bool is_delegated(const char *group) {
  char value[2] = {0};
  return SYS(getxattr, group, "user.delegate", value, sizeof value) == 1 && value[0] == '1';
}

static bool holds_no_processes(const char *group) {
  TEXT(path, PATH_LIMIT + 32);
  char one[2];
  text_add(text_add(&path, group), "/cgroup.procs");
  return file_read(AT_FDCWD, path.start, one, sizeof one) == 0;
}

/* In version 2 only the root of the hierarchy may hold both processes and groups that are limited. Our own group holds
 * us, and to change its controllers all the same would make it a "thread root", in which nothing can be limited: so it
 * serves only where it is the root, which alone has no cgroup.type. Else, where systemd has put us into a leaf of a group
 * that was delegated for this very purpose (DelegateSubgroup=, mark "user.delegate"), that group does. */
static bool find_version_2(struct text *parent) {
  TEXT(type, PATH_LIMIT + 32);
  text_add(text_add(&type, parent->start), "/cgroup.type");
  if (SYS(faccessat, AT_FDCWD, type.start, 0) == -ENOENT) return true;
  while (parent->length && parent->start[parent->length - 1] != '/') parent->length--;
  if (parent->length) parent->length--;
  parent->start[parent->length] = 0;
  return parent->length && is_delegated(parent->start) && holds_no_processes(parent->start);
}

static bool give_to_children(const char *parent, const char *controller) {
  TEXT(path, PATH_LIMIT + 32);
  TEXT(word, 32);
  text_add(text_add(&path, parent), "/cgroup.subtree_control");
  text_add(text_add(&word, "+"), controller);
  return file_write(AT_FDCWD, path.start, word.start, word.length) == 0;
}

static void find_parents(void) {
  static char groups[8192], mounts[131072];
  if (file_read(AT_FDCWD, "/proc/self/cgroup", groups, sizeof groups) < 0) return;
  if (file_read(AT_FDCWD, "/proc/self/mountinfo", mounts, sizeof mounts) < 0) return;
  TEXT(version_2, PATH_LIMIT);
  bool has_version_2 = control_group_parent(groups, mounts, NULL, &version_2) && find_version_2(&version_2);
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    struct text parent = {state.parent[i], 0, PATH_LIMIT, false};
    state.version[i] = control_group_parent(groups, mounts, v1_names[i], &parent) ? 1 : 0;
    if (state.version[i] || !has_version_2 || !give_to_children(version_2.start, v2_names[i])) continue;
    parent.length = 0;
    text_add(&parent, version_2.start);
    state.version[i] = 2;
  }
}

/* --- leftovers --- */

/* A supervisor is known by its name, so that a pid that is in use again by something else doesn't keep its leftovers. */
static bool supervisor_lives(uint64_t pid) {
  TEXT(path, 64);
  char name[32];
  text_add(text_add_number(text_add(&path, "/proc/"), pid), "/comm");
  return file_read(AT_FDCWD, path.start, name, sizeof name) > 0 && text_starts(name, "pinfold-superv");
}

static bool is_leftover(const char *name) {
  const char *at = name + sizeof PREFIX - 1;
  uint64_t pid = 0;
  return text_starts(name, PREFIX) && text_number(&at, &pid) && *at == '-' && !supervisor_lives(pid);
}

static int sweep_directory(const char *path) {
  int left = 0;
  long directory = SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0) return 0;
  char entries[8192];
  long got;
  while ((got = SYS(getdents64, directory, entries, sizeof entries)) > 0)
    for (long at = 0; at < got;) {
      struct directory_entry *entry = (struct directory_entry *)(entries + at);
      at += entry->length;
      if (is_leftover(entry->name) && SYS(unlinkat, directory, entry->name, AT_REMOVEDIR) == -EBUSY) left++;
    }
  SYS(close, directory);
  return left;
}

int control_groups_sweep(void) {
  int left = 0;
  find_parents();
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    if (state.version[i]) left += sweep_directory(state.parent[i]);
  return left;
}

/* --- groups --- */

static void group_path(struct text *path, int controller, int group) {
  text_add(text_add(path, state.parent[controller]), "/" PREFIX);
  text_add_number(text_add(text_add_number(path, state.owner), "-"), (uint64_t)group);
}

static void forget_limit(struct group *group, int controller) {
  if (controller == CONTROLLER_MEMORY) group->limits.memory_bytes = 0;
  if (controller == CONTROLLER_PIDS) group->limits.processes = 0;
}

static void remove_directory(int index, int controller) {
  int *directory = &state.groups[index].directory[controller];
  if (*directory < 0) return;
  descriptor_close(directory);
  descriptor_close(&state.groups[index].entrance[controller]);
  for (int i = 0; i < FILE_COUNT; i++)
    if ((int)group_files[i].controller == controller) descriptor_close(&state.groups[index].file[i]);
  forget_limit(&state.groups[index], controller);
  TEXT(path, PATH_LIMIT + 64);
  group_path(&path, controller, index);
  SYS(unlinkat, AT_FDCWD, path.start, AT_REMOVEDIR);
}

static void remove_group(int index) {
  descriptor_close(&state.groups[index].memory_event);
  for (int i = 0; i < CONTROLLER_COUNT; i++) remove_directory(index, i);
}

/* cgroup v1's way of telling: an eventfd that is written to when memory.oom_control changes. */
static int open_memory_event(int directory) {
  int control = (int)SYS(openat, directory, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
  if (control < 0) return -1;
  int event = (int)SYS(eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
  TEXT(line, 48);
  text_add_number(text_add(text_add_number(&line, (uint64_t)event), " "), (uint64_t)control);
  if (event >= 0 && file_write(directory, "cgroup.event_control", line.start, line.length) < 0) descriptor_close(&event);
  SYS(close, control);
  return event < 0 ? -1 : event;
}

/* Version 2 has one directory for all controllers: it is entered once. */
static bool serves_already(int index, int controller) {
  for (int i = 0; i < controller; i++)
    if (state.version[i] == 2 && state.version[controller] == 2 && state.groups[index].entrance[i] >= 0) return true;
  return false;
}

static long make_directory(int index, int controller) {
  TEXT(path, PATH_LIMIT + 64);
  group_path(&path, controller, index);
  long result = SYS(mkdirat, AT_FDCWD, path.start, 0755);
  if (result < 0 && result != -EEXIST) return result; /* version 2, or co-mounted controllers: one directory for several */
  result = SYS(openat, AT_FDCWD, path.start, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (result < 0) return result;
  state.groups[index].directory[controller] = (int)result;
  if (!serves_already(index, controller)) {
    result = SYS(openat, state.groups[index].directory[controller], "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
    if (result < 0) return result;
    state.groups[index].entrance[controller] = (int)result;
  }
  int directory = state.groups[index].directory[controller];
  if (controller != CONTROLLER_MEMORY) return 0;
  if (state.version[controller] == 1) state.groups[index].memory_event = open_memory_event(directory);
  else file_write_text(directory, "memory.oom.group", "1");
  return 0;
}

/* Makes what is missing of a group. */
static long make_group(int index) {
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    if (!state.version[i] || state.groups[index].directory[i] >= 0) continue;
    long result = make_directory(index, i);
    if (result < 0) {
      remove_group(index);
      return result;
    }
  }
  return 0;
}

static void forget_groups(void) {
  for (int i = 0; i < GROUPS_MAX; i++) {
    state.groups[i].memory_event = -1;
    for (int j = 0; j < FILE_COUNT; j++) state.groups[i].file[j] = -1;
    for (int j = 0; j < CONTROLLER_COUNT; j++) state.groups[i].directory[j] = state.groups[i].entrance[j] = -1;
  }
}

void control_groups_open(uint32_t supervisor_pid) {
  state.owner = supervisor_pid;
  forget_groups();
  control_groups_sweep();
  /* A hierarchy that is there but not ours to write to is as good as none: tried one by one. */
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    if (!state.version[i]) continue;
    TEXT(path, PATH_LIMIT + 64);
    group_path(&path, i, GROUPS_MAX);
    long made = SYS(mkdirat, AT_FDCWD, path.start, 0755);
    if (made == 0) SYS(unlinkat, AT_FDCWD, path.start, AT_REMOVEDIR);
    else if (made != -EEXIST) state.version[i] = 0;
  }
}

void control_groups_close(void) {
  for (int i = 0; i < GROUPS_MAX; i++) remove_group(i);
}

static bool any_controller(void) {
  return state.version[CONTROLLER_MEMORY] || state.version[CONTROLLER_PIDS] || state.version[CONTROLLER_CPU];
}

int control_group_acquire(void) {
  if (!any_controller()) return -ENOSYS;
  for (int i = 0; i < GROUPS_MAX; i++) {
    struct group *group = &state.groups[i];
    if (group->taken) continue;
    long result = make_group(i);
    if (result < 0) return (int)result;
    group->taken = true;
    return i;
  }
  return -EAGAIN;
}

size_t control_group_entrances(int index, int entrances[CONTROLLER_COUNT]) {
  size_t count = 0;
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    if (state.groups[index].entrance[i] >= 0) entrances[count++] = state.groups[index].entrance[i];
  return count;
}

long control_group_enter(const int *entrances, size_t count) {
  for (size_t i = 0; i < count; i++) {
    long result = SYS(write, entrances[i], "0", 1);
    if (result < 0) return result;
  }
  return 0;
}

static long write_number(int directory, const char *file, uint64_t number) {
  TEXT(text, 24);
  text_add_number(&text, number);
  return file_write(directory, file, text.start, text.length);
}

/* A descriptor of one of the files above, or -errno. */
static int open_file(struct group *group, enum group_file which) {
  enum controller controller = group_files[which].controller;
  if (group->file[which] >= 0) return group->file[which];
  int version = state.version[controller], directory = group->directory[controller];
  if (!version || directory < 0) return -ENOENT;
  const char *name = group_files[which].by_version[version - 1].name;
  return group->file[which] = (int)SYS(openat, directory, name, group_files[which].by_version[version - 1].mode | O_CLOEXEC, 0);
}

static long put_number(struct group *group, enum group_file which, uint64_t number) {
  TEXT(text, 24);
  text_add_number(&text, number);
  int fd = open_file(group, which);
  long put = fd < 0 ? fd : SYS(pwrite64, fd, text.start, text.length, 0);
  return put < 0 ? put : 0;
}

/* The number after `key` at the beginning of a line; with an empty key, the number that the file begins with. */
static uint64_t get_number(struct group *group, enum group_file which, const char *key, uint64_t otherwise) {
  char content[2048]; /* the kernel gives these files whole */
  uint64_t number = 0;
  int fd = open_file(group, which);
  long got = fd < 0 ? fd : SYS(pread64, fd, content, sizeof content - 1, 0);
  if (got < 0) return otherwise;
  content[got] = 0;
  for (const char *line = content; *line; line = text_next_line(line)) {
    if (!text_starts(line, key)) continue;
    const char *at = line + strlen(key);
    while (*at == ' ') at++;
    return text_number(&at, &number) ? number : otherwise;
  }
  return otherwise;
}

static uint64_t cpu_ns(struct group *group) {
  if (state.version[CONTROLLER_CPU] == 1) return get_number(group, FILE_CPU, "", 0);
  return get_number(group, FILE_CPU, "usage_usec", 0) * 1000;
}

static uint64_t kills(struct group *group) { return get_number(group, FILE_KILLS, "oom_kill ", 0); }

static long write_memory_limit(int directory, uint64_t bytes) {
  if (state.version[CONTROLLER_MEMORY] == 2) {
    file_write_text(directory, "memory.swap.max", "0"); /* absent without swap accounting */
    return write_number(directory, "memory.max", bytes);
  }
  /* Memory and swap together may never be less than memory: raise that first, where it is accounted for at all. */
  file_write_text(directory, "memory.memsw.limit_in_bytes", "-1");
  long result = write_number(directory, "memory.limit_in_bytes", bytes);
  write_number(directory, "memory.memsw.limit_in_bytes", bytes);
  return result;
}

static long limit_memory(struct group *group, uint64_t bytes) {
  if (!state.version[CONTROLLER_MEMORY] || group->limits.memory_bytes == bytes) return 0;
  long result = write_memory_limit(group->directory[CONTROLLER_MEMORY], bytes);
  group->limits.memory_bytes = result == 0 ? bytes : 0;
  /* After the limit, which may have made the kernel give something up. */
  put_number(group, FILE_PEAK, 0);
  return result;
}

static long limit_processes(struct group *group, uint32_t processes) {
  if (!state.version[CONTROLLER_PIDS] || group->limits.processes == processes) return 0;
  long result = put_number(group, FILE_PROCESSES, processes);
  group->limits.processes = result == 0 ? processes : 0;
  return result;
}

/* The kernel kills, or searches for long, where a limit is below what is in use. */
#define ROOM_FACTOR 4

void control_group_prepare(int index) {
  struct group *group = &state.groups[index];
  if (state.last.memory_bytes / ROOM_FACTOR > get_number(group, FILE_USED, "", UINT64_MAX))
    limit_memory(group, state.last.memory_bytes);
  if (state.last.processes) limit_processes(group, state.last.processes);
  put_number(group, FILE_PEAK, 0);
  if (state.version[CONTROLLER_CPU]) group->cpu_base_ns = cpu_ns(group);
  if (state.version[CONTROLLER_MEMORY]) group->kills_base = kills(group);
}

long control_group_begin(int index, const struct group_limits *limits) {
  struct group *group = &state.groups[index];
  state.last = *limits;
  long result = limit_memory(group, limits->memory_bytes);
  return result == 0 ? limit_processes(group, limits->processes) : result;
}

#define PEAK_OF_ONE 2 /* pid 1 and the job's only process: whoever comes next can't have less */

#define LEFT_OVER_BYTES (1u << 20)

/* Whether the next job would be charged for this one. Peaks of version 2, and that of version 1's processes, can't be set
 * back to zero; and what the kernel keeps cached for files that the job read stays charged to its group. */
static bool is_spent(struct group *group, int controller) {
  if (group->directory[controller] < 0) return false;
  if (state.version[controller] == 2) return true;
  if (controller == CONTROLLER_PIDS) return get_number(group, FILE_PROCESSES_PEAK, "", 0) > PEAK_OF_ONE;
  return controller == CONTROLLER_MEMORY && get_number(group, FILE_USED, "", 0) > LEFT_OVER_BYTES;
}

void control_group_release(int index) {
  struct group *group = &state.groups[index];
  group->taken = false;
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    if (!is_spent(group, i)) continue;
    remove_directory(index, i);
    if (i == CONTROLLER_MEMORY) descriptor_close(&group->memory_event);
  }
}

int control_group_memory_event(int index) { return state.groups[index].memory_event; }

bool control_group_out_of_memory(int index) {
  struct group *group = &state.groups[index];
  return state.version[CONTROLLER_MEMORY] && kills(group) > group->kills_base;
}

uint64_t control_group_cpu_ns(int index) {
  struct group *group = &state.groups[index];
  uint64_t now = cpu_ns(group);
  return now > group->cpu_base_ns ? now - group->cpu_base_ns : 0;
}

uint64_t control_group_memory_peak(int index) {
  return get_number(&state.groups[index], FILE_PEAK, "", 0);
}

uint32_t control_group_processes_peak(int index) {
  uint64_t peak = get_number(&state.groups[index], FILE_PROCESSES_PEAK, "", UINT32_MAX);
  return peak == UINT32_MAX || peak == 0 ? UINT32_MAX : (uint32_t)(peak - 1);
}
