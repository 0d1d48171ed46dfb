#include "ask.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <signal.h>

#include "arena.h"
#include "child.h"
#include "host.h"
#include "loop.h"

#define ASKS_MAX 8
#define ANSWER_BYTES 131072 /* each of stdout and stderr */
#define TIME_LIMIT_NS 20000000000ull

struct said {
  int fd;
  size_t length;
  unsigned char bytes[ANSWER_BYTES];
};

static struct ask {
  uint32_t run; /* 0: free */
  uint32_t generation;
  int pid, status;
  bool reaped;
  uint64_t deadline_ns;
  struct said said[2];
} asks[ASKS_MAX];

static const enum source said_source[] = {SOURCE_ASK_STDOUT, SOURCE_ASK_STDERR};

static void answer(const struct ask *ask, uint32_t run, int error) {
  struct writer writer = host_begin(2 * ANSWER_BYTES + 32);
  write_u32(&writer, (uint32_t)error);
  write_u32(&writer, ask ? (uint32_t)ask->status : 0);
  for (int i = 0; i < 2; i++) write_bytes(&writer, ask ? ask->said[i].bytes : NULL, ask ? ask->said[i].length : 0);
  host_end(&writer, FRAME_ANSWER, run);
}

static void finish_if_done(struct ask *ask) {
  if (!ask->reaped) return;
  /* A program that it left running may hold its pipes open: what it said itself is all there by now. */
  for (int i = 0; i < 2; i++) {
    while (ask->said[i].fd >= 0) {
      size_t before = ask->said[i].length;
      ask_readable((uint32_t)(ask - asks), i);
      if (ask->said[i].length == before) descriptor_close(&ask->said[i].fd);
    }
  }
  if (!ask->run) return;
  answer(ask, ask->run, 0);
  ask->run = 0;
}

void ask_readable(uint32_t index, int which) {
  struct ask *ask = &asks[index];
  struct said *said = &ask->said[which];
  if (said->fd < 0) return;
  unsigned char nowhere[4096];
  size_t room = ANSWER_BYTES - said->length;
  long got = room ? SYS(read, said->fd, said->bytes + said->length, room) : SYS(read, said->fd, nowhere, sizeof nowhere);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0) descriptor_close(&said->fd);
  else if (room) said->length += (size_t)got;
}

bool ask_reaped(int pid, int status) {
  for (size_t i = 0; i < ASKS_MAX; i++) {
    if (!asks[i].run || asks[i].pid != pid) continue;
    asks[i].reaped = true;
    asks[i].status = status;
    finish_if_done(&asks[i]);
    return true;
  }
  return false;
}

static void child_main(const char *cwd, char **argv, char **env, const int fds[3]) {
  long result = child_place_descriptors(fds, 3);
  if (result == 0) result = SYS(chdir, cwd);
  if (result == 0) result = SYS(setsid);
  if (result >= 0) result = SYS(execve, argv[0], argv, env);
  TEXT(why, 64);
  text_add_number(text_add(&why, "exec failed: errno "), (uint64_t)-result);
  SYS(write, 2, why.start, why.length);
  SYS(exit_group, 127);
}

static long open_ends(struct ask *ask, int child[3]) {
  child[0] = (int)SYS(openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
  if (child[0] < 0) return child[0];
  for (int i = 0; i < 2; i++) {
    int ends[2];
    long result = SYS(pipe2, ends, O_CLOEXEC);
    if (result < 0) return result;
    ask->said[i].fd = ends[0];
    child[1 + i] = ends[1];
    SYS(fcntl, ends[0], F_SETFL, O_NONBLOCK);
    loop_add(ends[0], said_source[i], (uint32_t)(ask - asks), 0, INTEREST_READ);
  }
  return 0;
}

static long start(struct ask *ask, const char *cwd, char **argv, char **env, uint32_t supervisor_pid) {
  int child[3] = {-1, -1, -1};
  ask->said[0].fd = ask->said[1].fd = -1;
  ask->said[0].length = ask->said[1].length = 0;
  ask->reaped = false;
  ask->deadline_ns = clock_ns() + TIME_LIMIT_NS;
  long result = open_ends(ask, child);
  if (result == 0) result = child_fork(supervisor_pid);
  if (result == 0) child_main(cwd, argv, env, child);
  for (int i = 0; i < 3; i++) descriptor_close(&child[i]);
  if (result < 0)
    for (int i = 0; i < 2; i++) descriptor_close(&ask->said[i].fd);
  return result;
}

static struct ask *free_place(void) {
  for (size_t i = 0; i < ASKS_MAX; i++)
    if (!asks[i].run) return &asks[i];
  return NULL;
}

bool ask_start(uint32_t run, const unsigned char *payload, size_t length, uint32_t supervisor_pid) {
  struct arena arena;
  struct reader reader = {payload, payload + length, false};
  if (arena_open(&arena, arena_size_for(length)) < 0) return false;
  const char *cwd = read_string(&reader, &arena.at, arena.end);
  char **argv = arena_read_strings(&arena, &reader);
  char **env = arena_read_strings(&arena, &reader);
  bool good = read_done(&reader) && run != 0 && argv[0] && argv[0][0] == '/';
  struct ask *ask = good ? free_place() : NULL;
  if (ask) {
    long pid = start(ask, cwd, argv, env, supervisor_pid);
    ask->run = pid > 0 ? run : 0;
    ask->pid = (int)pid;
    if (pid < 0) answer(NULL, run, (int)-pid);
  } else if (good) {
    answer(NULL, run, EAGAIN);
  }
  arena_close(&arena);
  return good;
}

uint64_t ask_next_ns(void) {
  uint64_t next = 0;
  for (size_t i = 0; i < ASKS_MAX; i++)
    if (asks[i].run && (!next || asks[i].deadline_ns < next)) next = asks[i].deadline_ns;
  return next;
}

void ask_check(uint64_t now) {
  for (size_t i = 0; i < ASKS_MAX; i++)
    if (asks[i].run && !asks[i].reaped && now >= asks[i].deadline_ns) {
      SYS(kill, asks[i].pid, SIGKILL);
      asks[i].deadline_ns = UINT64_MAX;
    }
}

void ask_kill_all(void) {
  for (size_t i = 0; i < ASKS_MAX; i++)
    if (asks[i].run && !asks[i].reaped) SYS(kill, -asks[i].pid, SIGKILL);
}
