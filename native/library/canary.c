#include "canary.h"

#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

#define FILTERED 2 /* PR_GET_SECCOMP: a filter is in force */

/* Each is true where the confinement holds. What could succeed does no harm. Where the caller has denied the very question,
 * the filter itself answers EPERM, which nobody else does. */

static bool no_new_namespace(void) { return SYS(unshare, CLONE_NEWUSER) == -EPERM; }

static bool no_mount(void) { return SYS(mount, "tmpfs", "/tmp", "tmpfs", 0, 0) == -EPERM; }

static bool no_packet_socket(void) { return SYS(socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) == -EPERM; }

static bool no_root(void) { return SYS(setresuid, 0, 0, 0) == -EPERM; }

static bool no_tracing(void) { return SYS(ptrace, 16 /* PTRACE_ATTACH */, 1, 0, 0) == -EPERM; }

static bool no_capability(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  long result = SYS(capget, &header, sets);
  if (result < 0) return result == -EPERM;
  uint32_t any = 0;
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) any |= sets[i].effective | sets[i].permitted | sets[i].inheritable;
  return any == 0;
}

static bool is_or_denied(long result, long wanted) { return result == wanted || result == -EPERM; }

static bool no_new_privileges(void) { return is_or_denied(SYS(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); }

static bool filtered(void) { return is_or_denied(SYS(prctl, PR_GET_SECCOMP, 0, 0, 0, 0), FILTERED); }

static bool foreign(const char *path, int flags) {
  long fd = SYS(openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
  if (fd >= 0) SYS(close, fd);
  return fd < 0;
}

static bool no_prescript(void) { return foreign("/.pinfold/pinfold.node", O_RDONLY); }

static bool no_write_to_root(void) { return foreign("/pinfold-canary", O_WRONLY | O_CREAT | O_EXCL); }

static bool no_write_to_runtime(void) { return foreign("/usr/lib/pinfold-canary", O_WRONLY | O_CREAT | O_EXCL); }

static bool own_processes(void) { return is_or_denied(SYS(getppid), 1); }

/* What the host told itself of the job's pid namespace must not be there: a /proc of another one would show it. */
static bool own_proc(void) { return foreign("/proc/sys/kernel/hostname", O_RDONLY); }

static const struct {
  const char *name;
  bool (*holds)(void);
} trials[] = {
    {"the filter is not in force", filtered},
    {"no_new_privs is not in force", no_new_privileges},
    {"a capability is left", no_capability},
    {"it could make a user namespace", no_new_namespace},
    {"it could mount", no_mount},
    {"it could open a packet socket", no_packet_socket},
    {"it could become root", no_root},
    {"it could trace pid 1", no_tracing},
    {"it is in no pid namespace of its own", own_processes},
    {"it sees the prescript", no_prescript},
    {"it could write to its root", no_write_to_root},
    {"it could write to the runtime", no_write_to_runtime},
    {"it sees the host's /proc", own_proc},
};

long canary_try(struct failure *failure) {
  for (size_t i = 0; i < COUNT_OF(trials); i++)
    if (!trials[i].holds()) return failure_at(failure, trials[i].name, -EPERM);
  return 0;
}
