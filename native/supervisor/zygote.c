#include "zygote.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include "../confine/descriptors.h"
#include "child.h"
#include "host.h"
#include "loop.h"
#include "old_mounts.h"

#define START_LIMIT_NS 55000000000ull
#define LOG_BYTES 8192
#define PRELOAD_SCRATCH_BYTES (64ull << 20)
#define ZYGOTE_SOCKET 3
#define HOST_NAME "pinfold"

struct zygote zygote = {.state = ZYGOTE_NONE, .pid = -1, .socket = -1, .log = -1};

/* The end of what it wrote to stdout and stderr: why it could not start, in the interpreter's own words. */
static char log_text[LOG_BYTES];
static size_t log_length;
static bool failure_known, is_mapped;
static struct failure failure_told;
static const struct configuration *configured;

/* --- in the child --- */

static void tell(enum message_kind kind, const struct failure *failure) {
  struct message message = {.kind = (uint32_t)kind};
  if (failure) message.failure = *failure;
  socket_send(ZYGOTE_SOCKET, &message, sizeof message, NULL, 0);
}

static long enter_user_namespace(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  return SYS(unshare, CLONE_NEWUSER);
}

static long await_map(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  uint32_t order = 0;
  tell(MESSAGE_MAP, NULL);
  long got = socket_receive(ZYGOTE_SOCKET, &order, sizeof order, NULL, 0, NULL, true);
  if (got != sizeof order || order != ORDER_MAPPED) return got < 0 ? got : -EPERM;
  return ids_become_root(zygote.ids.separate);
}

static long enter_network(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  return configured->flags & CONFIGURATION_NETWORK ? 0 : SYS(unshare, CLONE_NEWNET);
}

static long enter_ipc(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  return SYS(unshare, CLONE_NEWIPC);
}

static long enter_uts(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  long result = SYS(unshare, CLONE_NEWUTS);
  return result < 0 ? result : SYS(sethostname, HOST_NAME, sizeof HOST_NAME - 1);
}

static long collect(struct failure *failure) {
  return mounts_collect(configured->view, configured->view_count, failure);
}

static long collect_as_root(void *unused, struct failure *failure) {
  (void)unused;
  return zygote.ids.separate ? collect(failure) : 0;
}

static long collect_unprivileged(void *unused, struct failure *failure) {
  (void)unused;
  return zygote.ids.separate ? 0 : collect(failure);
}

static long make_view(void *unused, struct failure *failure) {
  (void)unused;
  return mounts_view(configured->view, configured->view_count, failure);
}

/* Until it has preloaded. Its id inside is 0, and jobs have theirs later. */
static long lend_scratch(void *unused, struct failure *failure) {
  (void)unused;
  long result = mounts_scratch(PRELOAD_SCRATCH_BYTES, 0, failure);
  return result < 0 ? result : SYS(chdir, "/");
}

/* The usual mask, not the host's: a stricter one would make a root that jobs can't enter. */
static long own_session(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  SYS(umask, 022);
  long result = SYS(setsid);
  return result < 0 ? result : 0;
}

static long no_new_privs(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  return SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Again: the change of ids above has cleared it. */
static long die_with_supervisor(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  return SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static long exec_interpreter(void *unused, struct failure *failure) {
  (void)unused;
  return failure_at(failure, configured->executable,
                    SYS(execve, configured->executable, configured->argv, configured->env));
}

/* Confinement that all jobs of a zygote share. What is a job's own is in library/zygote.c and library/job.c. */
static const struct step root_steps[] = {
    {STEP_SESSION, own_session},
    {STEP_VIEW, collect_as_root},
    {STEP_USER_NAMESPACE, enter_user_namespace},
    {STEP_ID_MAP, await_map},
    {STEP_NETWORK_NAMESPACE, enter_network},
    {STEP_IPC_NAMESPACE, enter_ipc},
    {STEP_UTS_NAMESPACE, enter_uts},
    {STEP_MOUNT_NAMESPACE, mounts_enter},
    {STEP_VIEW, collect_unprivileged},
    {STEP_PIVOT_ROOT, mounts_new_root},
    {STEP_VIEW, make_view},
    {STEP_SCRATCH, lend_scratch},
    {STEP_PRIVATE_ROOT, mounts_seal_root},
    {STEP_NO_NEW_PRIVS, no_new_privs},
    {STEP_SESSION, die_with_supervisor},
    {STEP_EXEC, exec_interpreter},
};

static void child_main(const int fds[4]) {
  struct failure failure = {0};
  if (child_place_descriptors(fds, 4) < 0) SYS(exit_group, 1);
  steps_run(root_steps, COUNT_OF(root_steps), STAGE_ROOT, NULL, &failure);
  tell(MESSAGE_FAILED, &failure);
  SYS(exit_group, 1);
}

/* --- in the supervisor --- */

static void forget_start_failure(void) {
  log_length = 0;
  failure_known = is_mapped = false;
}

/* Not listened to any longer: one that floods would else be all that is ever heard. Its loss is told when it is reaped. */
static void give_up(void) {
  descriptor_close(&zygote.socket);
  if (zygote.pid > 0) SYS(kill, zygote.pid, SIGKILL);
}

/* An interpreter finds what it will find in a job: pipes. stdin is at its end. */
static long open_pipes(int *input, int *log_read, int *log_write) {
  int in[2], log[2];
  long result = SYS(pipe2, in, O_CLOEXEC);
  if (result < 0) return result;
  SYS(close, in[1]);
  *input = in[0];
  result = SYS(pipe2, log, O_CLOEXEC);
  if (result < 0) return result;
  *log_read = log[0];
  *log_write = log[1];
  SYS(fcntl, log[0], F_SETFL, O_NONBLOCK);
  return 0;
}

static long fork_zygote(uint32_t supervisor_pid) {
  int pair[2] = {-1, -1}, input = -1, log_write = -1;
  long result = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
  if (result == 0) result = open_pipes(&input, &zygote.log, &log_write);
  if (result == 0) result = child_fork(supervisor_pid);
  if (result == 0) child_main((int[]){input, log_write, log_write, pair[1]});
  descriptor_close(&input);
  descriptor_close(&log_write);
  descriptor_close(&pair[1]);
  zygote.socket = pair[0];
  return result;
}

void zygote_start(const struct configuration *configuration, uint32_t supervisor_pid) {
  configured = configuration;
  forget_start_failure();
  zygote.generation++;
  zygote.ids = host_ids_choose(supervisor_pid);
  zygote.deadline_ns = clock_ns() + START_LIMIT_NS;
  zygote.canary_sent = false;
  long pid = fork_zygote(supervisor_pid);
  if (pid > 0) {
    zygote.pid = (int)pid;
    zygote.state = ZYGOTE_STARTING;
    loop_add(zygote.socket, SOURCE_ZYGOTE, 0, zygote.generation, INTEREST_READ);
    loop_add(zygote.log, SOURCE_ZYGOTE_LOG, 0, zygote.generation, INTEREST_READ);
    return;
  }
  descriptor_close(&zygote.socket);
  descriptor_close(&zygote.log);
  host_failed(0, &(struct failure){STAGE_RESOURCES, STEP_SPAWN, (int32_t)-pid, ""}, "");
}

bool zygote_serves(void) { return zygote.state == ZYGOTE_READY && zygote.socket >= 0; }

long zygote_fork(uint64_t bytes, uint32_t flags, const int fds[FORK_DESCRIPTORS]) {
  struct fork_order order = {ORDER_FORK, flags, bytes};
  int sent_fds[FORK_DESCRIPTORS + 1], mounts = old_mounts_take();
  memcpy(sent_fds, fds, FORK_DESCRIPTORS * sizeof *fds);
  sent_fds[FORK_DESCRIPTORS] = mounts;
  long sent = socket_send(zygote.socket, &order, sizeof order, sent_fds, FORK_DESCRIPTORS + (mounts >= 0 ? 1 : 0));
  descriptor_close(&mounts);
  if (sent == -EPIPE || sent == -ECONNRESET) give_up();
  return sent < 0 ? sent : 0;
}

bool zygote_release(int mounts) {
  struct fork_order order = {ORDER_RELEASE, 0, 0};
  return zygote_serves() && socket_send(zygote.socket, &order, sizeof order, &mounts, 1) > 0;
}

static bool answer_map(void) {
  if (zygote.state != ZYGOTE_STARTING || is_mapped) return false;
  is_mapped = true;
  long result = ids_map_zygote(zygote.pid, &zygote.ids);
  uint32_t order = ORDER_MAPPED;
  if (result == 0) {
    socket_send(zygote.socket, &order, sizeof order, NULL, 0);
    return true;
  }
  failure_known = true;
  failure_told = (struct failure){STAGE_ROOT, STEP_ID_MAP, (int32_t)-result, ""};
  return false;
}

static bool note_failure(const struct failure *failure) {
  if (zygote.state != ZYGOTE_STARTING || failure_known || !failure_is_sound(failure)) return false;
  failure_known = true;
  failure_told = *failure;
  return true;
}

static long send_setup(void) {
  static unsigned char packet[sizeof(struct serve_order) + FILTER_MAX * sizeof(struct sock_filter) +
                              SHOWN_MAX * sizeof(struct shown) + WRITABLE_MAX];
  struct serve_order order = {ORDER_SERVE, zygote.ids.separate ? 1 : 0, configured->filter_count, configured->shown_count,
                              configured->writable_bytes, configured->flags & CONFIGURATION_NETWORK ? 1 : 0,
                              zygote.ids.separate || !ids_in_root_group() ? 0 : 1};
  const struct {
    const void *start;
    size_t size;
  } parts[] = {{&order, sizeof order},
               {configured->filter, configured->filter_count * sizeof *configured->filter},
               {configured->shown, configured->shown_count * sizeof *configured->shown},
               {configured->writable, configured->writable_bytes}};
  size_t length = 0;
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    memcpy(packet + length, parts[i].start, parts[i].size);
    length += parts[i].size;
  }
  return socket_send(zygote.socket, packet, length, NULL, 0);
}

static bool begin_service(const struct zygote_events *events) {
  if (zygote.state != ZYGOTE_STARTING || send_setup() < 0) return false;
  zygote.state = ZYGOTE_READY;
  events->ready();
  return true;
}

/* False where it was not its turn to say this. */
static bool handle_message(const struct message *message, const struct zygote_events *events) {
  switch (message->kind) {
    case MESSAGE_MAP: return answer_map();
    case MESSAGE_READY: return begin_service(events);
    case MESSAGE_FORKED: return zygote.state == ZYGOTE_READY && events->forked(message->value);
    case MESSAGE_FAILED: return note_failure(&message->failure);
    default: return false;
  }
}

void zygote_readable(const struct zygote_events *events) {
  while (zygote.socket >= 0) {
    /* One byte more, by which a packet that is too long is known: the kernel cuts it without a word. */
    union {
      struct message message;
      unsigned char bytes[sizeof(struct message) + 1];
    } packet;
    long got = socket_receive(zygote.socket, &packet, sizeof packet.bytes, NULL, 0, NULL, false);
    if (got == -EAGAIN) return;
    /* Also at its end of file. */
    if (got != sizeof packet.message || !handle_message(&packet.message, events)) give_up();
  }
}

void zygote_log_readable(void) {
  char more[4096];
  long got;
  while (zygote.log >= 0 && (got = SYS(read, zygote.log, more, sizeof more)) != -EAGAIN) {
    if (got <= 0) {
      descriptor_close(&zygote.log);
      return;
    }
    size_t size = (size_t)got, room = sizeof log_text - 1 - log_length;
    if (size > room) {
      size_t drop = size - room < log_length ? size - room : log_length;
      memmove(log_text, log_text + drop, log_length - drop);
      log_length -= drop;
    }
    memcpy(log_text + log_length, more, size);
    log_length += size;
  }
}

void zygote_reaped(int status, const struct zygote_events *events) {
  zygote_readable(events);
  zygote_log_readable();
  enum zygote_state before = zygote.state;
  zygote.state = ZYGOTE_NONE;
  zygote.pid = -1;
  descriptor_close(&zygote.socket);
  descriptor_close(&zygote.log);
  if (before == ZYGOTE_READY) {
    events->lost(status);
    return;
  }
  log_text[log_length] = 0;
  if (failure_known) events->failed(&failure_told, failure_told.detail);
  else
    events->failed(&(struct failure){STAGE_ZYGOTE, STEP_INTERPRETER, (int32_t)(status & 0x7f ? EINTR : ECHILD), ""},
                   log_length < FAILED_DETAIL_MAX ? log_text : log_text + (log_length - FAILED_DETAIL_MAX));
}

void zygote_check_deadline(uint64_t now_ns) {
  if (zygote.state != ZYGOTE_STARTING || now_ns < zygote.deadline_ns) return;
  failure_known = true;
  failure_told = (struct failure){STAGE_ZYGOTE, STEP_DEADLINE, ETIMEDOUT, "the interpreter did not get ready"};
  SYS(kill, zygote.pid, SIGKILL);
  zygote.deadline_ns = UINT64_MAX;
}
