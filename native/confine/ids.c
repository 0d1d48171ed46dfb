#include "ids.h"

#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "capabilities.h"

/* Above the ranges that distributions, systemd and rootless runtimes give out. */
#define PREFERRED_BASE 0x70000000u

bool ids_choose_pair(const char *map, uint32_t wanted, uint32_t *first) {
  uint64_t inside = 0, outside = 0, count = 0, best = 0;
  for (const char *at = map; *at;) {
    while (*at == ' ') at++;
    if (!text_number(&at, &inside)) return false;
    while (*at == ' ') at++;
    if (!text_number(&at, &outside)) return false;
    while (*at == ' ') at++;
    if (!text_number(&at, &count)) return false;
    while (*at == '\n') at++;
    if (wanted >= inside && wanted + UINT64_C(1) < inside + count) {
      *first = wanted;
      return true;
    }
    if (count >= 2 && inside + count - 2 > best) best = inside + count - 2;
  }
  *first = (uint32_t)best;
  return best > 0 && best < UINT32_MAX;
}

static bool choose_pair(uint32_t pid, uint32_t *first) {
  char map[4096];
  if (file_read(AT_FDCWD, "/proc/self/uid_map", map, sizeof map) <= 0) return false;
  return ids_choose_pair(map, PREFERRED_BASE + 2 * (pid & 0x3fffff), first);
}

/* For id maps of more than the own id, and for taking the view's sources before the user namespace is entered. */
#define PRIVILEGES (1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_SYS_ADMIN)

struct host_ids host_ids_choose(uint32_t supervisor_pid) {
  uint32_t own = (uint32_t)SYS(geteuid), first = 0;
  if (own == 0 && capabilities_have(PRIVILEGES) && choose_pair(supervisor_pid, &first)) return (struct host_ids){first, first + 1, true};
  return (struct host_ids){own, own, false};
}

bool ids_in_root_group(void) {
  uint32_t groups[256];
  long count = SYS(getgroups, COUNT_OF(groups), groups); /* -EINVAL where there are more: taken for a yes */
  for (long i = 0; i < count; i++)
    if (groups[i] == 0) return true;
  return count < 0 || SYS(getegid) == 0;
}

static long write_map(int pid, const char *file, uint32_t zygote, uint32_t job, bool separate) {
  TEXT(path, 64);
  TEXT(map, 64);
  text_add(text_add(text_add_number(text_add(&path, "/proc/"), (uint64_t)pid), "/"), file);
  text_add(text_add_number(text_add(&map, "0 "), zygote), " 1\n");
  if (separate) text_add(text_add_number(text_add(&map, "1 "), job), " 1\n");
  return file_write(AT_FDCWD, path.start, map.start, map.length);
}

long ids_map_zygote(int pid, const struct host_ids *ids) {
  if (!ids->separate) {
    /* A caller without CAP_SETGID may map its group only when setgroups is off for good (CVE-2014-8989). */
    TEXT(path, 64);
    text_add(text_add_number(text_add(&path, "/proc/"), (uint64_t)pid), "/setgroups");
    long denied = file_write_text(AT_FDCWD, path.start, "deny");
    if (denied < 0 && denied != -ENOENT) return denied;
  }
  long result = write_map(pid, "uid_map", ids->zygote, ids->job, ids->separate);
  if (result < 0) return result;
  uint32_t group = ids->separate ? ids->zygote : (uint32_t)SYS(getegid);
  return write_map(pid, "gid_map", group, ids->job, ids->separate);
}

long ids_become_root(bool separate) {
  long result = separate ? SYS(setgroups, 0, 0) : 0;
  if (result == 0) result = SYS(setresgid, 0, 0, 0);
  if (result == 0) result = SYS(setresuid, 0, 0, 0);
  return result;
}

/* One id maps to one id: the kernel lets a process write that by itself, for its own id. */
static long map_self(uint32_t outside) {
  TEXT(map, 32);
  text_add_number(text_add(text_add_number(&map, JOB_VISIBLE_ID), " "), outside);
  text_add(&map, " 1\n");
  long result = file_write_text(AT_FDCWD, "/proc/self/setgroups", "deny");
  if (result == 0) result = file_write(AT_FDCWD, "/proc/self/uid_map", map.start, map.length);
  if (result == 0) result = file_write(AT_FDCWD, "/proc/self/gid_map", map.start, map.length);
  return result;
}

long ids_become_job(uint32_t job_id) {
  long result = 0;
  if (job_id != 0) {
    result = SYS(setgroups, 0, 0);
    if (result == 0) result = SYS(setresgid, job_id, job_id, job_id);
    if (result == 0) result = SYS(setresuid, job_id, job_id, job_id);
  }
  /* A change of ids makes /proc/self root's own, and the maps below unwritable. */
  if (result == 0) result = SYS(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  /* A user namespace a job: no id but its own exists there, and RLIMIT_NPROC counts its processes alone (Linux 5.14). */
  if (result == 0) result = SYS(unshare, CLONE_NEWUSER);
  if (result == 0) result = map_self(job_id);
  return result;
}
