#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>
#include <time.h>

#include "base.h"

long file_read(int directory, const char *path, char *buffer, size_t capacity) {
  long fd = SYS(openat, directory, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  size_t length = 0;
  long got = 0;
  while (length < capacity - 1 && (got = SYS(read, fd, buffer + length, capacity - 1 - length)) > 0) length += (size_t)got;
  buffer[length] = 0;
  SYS(close, fd);
  return got < 0 ? got : (long)length;
}

long file_write(int directory, const char *path, const char *content, size_t length) {
  long fd = SYS(openat, directory, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long put = SYS(write, fd, content, length); /* kernel files take a value whole or not at all */
  SYS(close, fd);
  if (put < 0) return put;
  return (size_t)put == length ? 0 : -EIO;
}

long file_write_text(int directory, const char *path, const char *content) {
  return file_write(directory, path, content, strlen(content));
}

void descriptor_close(int *fd) {
  if (*fd >= 0) SYS(close, *fd);
  *fd = -1;
}

int descriptor_take(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}

static uint64_t read_clock(int clock) {
  struct __kernel_timespec now = {0, 0};
  SYS(clock_gettime, clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t clock_cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }
