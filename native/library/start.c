/* Starting the supervisor from a host that may be large and have many threads. */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/wait.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include "../base/base.h"
#include "../confine/control_groups.h"
#include "../include/pinfold.h"

#define STACK_BYTES 16384
#define SUPERVISOR_SOCKET 3

struct start {
  const char *path;
  int socket;
  int null;
  int error;
};

/* Runs on the host's memory while the calling thread waits: it may touch nothing but its own frame and `start`. */
static int child(void *context) {
  struct start *start = context;
  char *argv[] = {"pinfold-supervisor", NULL};
  char *envp[] = {NULL};
  long result = SYS(dup3, start->null, 0, 0);
  if (result >= 0) result = SYS(dup3, start->null, 1, 0);
  if (result >= 0) result = SYS(dup3, start->socket, SUPERVISOR_SOCKET, 0);
  if (result >= 0) result = SYS(close_range, SUPERVISOR_SOCKET + 1, ~0u, 0);
  if (result >= 0) result = SYS(setsid);
  if (result >= 0) result = SYS(execve, start->path, argv, envp);
  start->error = (int)result;
  SYS(exit_group, 127);
  return 0;
}

/* clone(CLONE_VM | CLONE_VFORK) on a stack of its own; no exit signal, so that nobody's waitpid(-1) takes our child. */
static long clone_vfork(char *stack_top, int (*function)(void *), void *context) {
  long result;
#if defined(__x86_64__)
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  register int (*entry)(void *) __asm__("r12") = function;
  register void *argument __asm__("r13") = context;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(__NR_clone), "D"((long)(CLONE_VM | CLONE_VFORK)), "S"(stack_top), "d"(0L), "r"(r10), "r"(r8), "r"(entry),
        "r"(argument)
      : "rcx", "r11", "memory");
#else
  register long x8 __asm__("x8") = __NR_clone;
  register long x0 __asm__("x0") = CLONE_VM | CLONE_VFORK;
  register char *x1 __asm__("x1") = stack_top;
  register long x2 __asm__("x2") = 0;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  register int (*entry)(void *) __asm__("x20") = function;
  register void *argument __asm__("x21") = context;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x21\n\t"
      "blr x20\n\t"
      "brk 0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(entry), "r"(argument)
      : "memory", "x30");
  result = x0;
#endif
  return result;
}

/* Supervisors that this process started and has not reaped. A worker that is terminated can't reap its own: the next
 * start does it. */
#define KNOWN_MAX 4096
static int known[KNOWN_MAX];

static void remember(int pid) {
  for (size_t i = 0; i < KNOWN_MAX; i++) {
    int empty = 0;
    if (__atomic_compare_exchange_n(&known[i], &empty, pid, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  }
}

static void forget(int pid) {
  for (size_t i = 0; i < KNOWN_MAX; i++) {
    int same = pid;
    if (__atomic_compare_exchange_n(&known[i], &same, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  }
}

int pinfold_reap(int pid) {
  if (pid <= 0) return 1;
  long result = SYS(wait4, pid, 0, WNOHANG | __WALL, 0);
  if (result == 0) return 0;
  forget(pid);
  return 1;
}

static void reap_known(void) {
  for (size_t i = 0; i < KNOWN_MAX; i++) {
    int pid = __atomic_load_n(&known[i], __ATOMIC_SEQ_CST);
    if (pid) pinfold_reap(pid);
  }
}

static long spawn(struct start *start) {
  static const uint64_t every_signal = ~0ull;
  uint64_t before = 0;
  char stack[STACK_BYTES] __attribute__((aligned(16)));
  /* A signal handler of the host must not run on the child, which shares its memory. */
  SYS(rt_sigprocmask, 0 /* SIG_BLOCK */, &every_signal, &before, sizeof before);
  long pid = clone_vfork(stack + sizeof stack, child, start);
  SYS(rt_sigprocmask, 2 /* SIG_SETMASK */, &before, 0, sizeof before);
  if (pid > 0 && start->error < 0) {
    SYS(wait4, pid, 0, __WALL, 0);
    return start->error;
  }
  return pid;
}

/* Moves a descriptor above those that the child is about to fill: a host may have closed its own 0, 1 or 2. */
static void move_up(int *fd) {
  long moved = *fd < 0 ? *fd : SYS(fcntl, *fd, F_DUPFD_CLOEXEC, SUPERVISOR_SOCKET + 1);
  descriptor_close(fd);
  *fd = (int)moved;
}

int pinfold_start(const char *path, int *socket_fd) {
  int pair[2] = {-1, -1};
  reap_known();
  long result = SYS(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
  if (result < 0) return (int)result;
  int null = (int)SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  move_up(&pair[1]);
  move_up(&null);
  struct start start = {path, pair[1], null, 0};
  result = pair[1] < 0 ? pair[1] : null < 0 ? null : spawn(&start);
  descriptor_close(&null);
  descriptor_close(&pair[1]);
  if (result < 0) {
    descriptor_close(&pair[0]);
    return (int)result;
  }
  remember((int)result);
  *socket_fd = descriptor_take(&pair[0]);
  return (int)result;
}

int pinfold_sweep(void) { return control_groups_sweep(); }
