#include "landlock.h"

#include <asm/errno.h>
#include <linux/fcntl.h>

#include "control.h"

/* Written out, because the build machine's headers may be older than the kernel that the job runs on. */
#define CREATE_RULESET_VERSION 1
#define RULE_PATH_BENEATH 1
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)

struct ruleset {
  uint64_t handled_fs, handled_net, scoped;
};

struct path_rule {
  uint64_t allowed;
  int32_t directory;
} __attribute__((packed));

/* What each ABI handles; the last line that is not above the kernel's ABI counts. */
static const struct {
  long abi;
  struct ruleset rules;
} features[] = {
    {1, {(1ull << 13) - 1, 0, 0}}, {2, {(1ull << 14) - 1, 0, 0}}, {3, {(1ull << 15) - 1, 0, 0}},
    {4, {(1ull << 15) - 1, 3, 0}}, {5, {(1ull << 16) - 1, 3, 0}}, {6, {(1ull << 16) - 1, 3, 3}},
};

static struct ruleset ruleset_for(long abi) {
  struct ruleset rules = features[0].rules;
  for (size_t i = 0; i < COUNT_OF(features) && features[i].abi <= abi; i++) rules = features[i].rules;
  return rules;
}

static long allow(long ruleset, const char *path, uint64_t access, struct failure *failure) {
  long directory = SYS(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
  if (directory < 0) return failure_at(failure, path, directory);
  struct path_rule rule = {access, (int32_t)directory};
  long result = SYS(landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
  SYS(close, directory);
  return failure_at(failure, path, result);
}

static long allow_all(long ruleset, uint64_t handled, const char *writable, size_t writable_bytes,
                      struct failure *failure) {
  uint64_t write = handled & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV);
  long result = allow(ruleset, "/", FS_READ, failure);
  if (result == 0)
    result = allow(ruleset, "/dev", handled & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV), failure);
  if (result == 0) result = allow(ruleset, PATH_WORK, write, failure);
  if (result == 0) result = allow(ruleset, PATH_TMP, write, failure);
  if (result == 0) result = allow(ruleset, PATH_SHM, write, failure);
  for (const char *path = writable; result == 0 && path < writable + writable_bytes; path += strlen(path) + 1)
    result = allow(ruleset, path, write, failure);
  return result;
}

long landlock_restrict(const char *writable, size_t writable_bytes, bool network, struct failure *failure) {
  long abi = SYS(landlock_create_ruleset, 0, 0, CREATE_RULESET_VERSION);
  /* The kernel refuses nobody this question: it was a container's filter, which knows no Landlock. */
  if (abi == -EPERM) return -EOPNOTSUPP;
  if (abi < 0) return abi;
  struct ruleset rules = ruleset_for(abi);
  if (network) rules.handled_net = 0;
  long ruleset = SYS(landlock_create_ruleset, &rules, sizeof rules, 0);
  if (ruleset < 0) return ruleset;
  long result = allow_all(ruleset, rules.handled_fs, writable, writable_bytes, failure);
  if (result == 0) result = SYS(landlock_restrict_self, ruleset, 0);
  SYS(close, ruleset);
  return result < 0 ? result : abi;
}
