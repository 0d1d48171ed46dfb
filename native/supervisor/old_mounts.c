#include "old_mounts.h"

#include <linux/fcntl.h>

#include "../base/base.h"

#define KEPT_MAX 32

static int kept[KEPT_MAX];
static uint32_t first, count;

int old_mounts_open(int pid) {
  TEXT(path, 64);
  text_add(text_add_number(text_add(&path, "/proc/"), (uint64_t)pid), "/ns/mnt");
  return (int)SYS(openat, AT_FDCWD, path.start, O_RDONLY | O_CLOEXEC, 0);
}

void old_mounts_keep(int fd) {
  if (fd < 0) return;
  if (count == KEPT_MAX) SYS(close, fd);
  else kept[(first + count++) % KEPT_MAX] = fd;
}

int old_mounts_take(void) {
  if (!count) return -1;
  int fd = kept[first];
  first = (first + 1) % KEPT_MAX;
  count--;
  return fd;
}
