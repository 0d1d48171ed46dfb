#include "filter.h"

#include <asm/errno.h>

#include "../base/base.h"
#include "control.h"

/* Written out, because the build machine's headers may be older than the kernel that the job runs on. */
#define FLAG_TSYNC (1ul << 0)
#define FLAG_NEW_LISTENER (1ul << 3)
#define FLAG_TSYNC_ESRCH (1ul << 4)
#define FLAG_WAIT_KILLABLE (1ul << 5) /* Linux 5.19: a signal doesn't make a call that is being answered begin anew */

static long install(const struct sock_filter *instructions, unsigned count, unsigned long flags) {
  struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)instructions};
  return SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags | FLAG_TSYNC, &program);
}

static bool is_telling(const struct sock_filter *instruction) {
  return instruction->code == (BPF_RET | BPF_K) && (instruction->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
}

/* Each refusal that would be told bears its errno in the low bits, which the kernel ignores there. */
static long install_untold(const struct sock_filter *instructions, unsigned count) {
  static struct sock_filter untold[FILTER_MAX];
  if (count > FILTER_MAX) return -EINVAL;
  for (unsigned i = 0; i < count; i++) {
    untold[i] = instructions[i];
    if (is_telling(&untold[i])) untold[i].k = SECCOMP_RET_ERRNO | (untold[i].k & SECCOMP_RET_DATA);
  }
  long result = install(untold, count, 0);
  return result > 0 ? -ESRCH : result; /* a thread that can't take the filter is told by its id */
}

long filter_install(const struct sock_filter *instructions, unsigned count, int *listener) {
  const unsigned long told = FLAG_NEW_LISTENER | FLAG_TSYNC_ESRCH;
  long result = install(instructions, count, told | FLAG_WAIT_KILLABLE);
  if (result == -EINVAL) result = install(instructions, count, told);
  *listener = result >= 0 ? (int)result : -1;
  if (result == -EBUSY || result == -EINVAL) return install_untold(instructions, count);
  return result < 0 ? result : 0;
}

static uint32_t word_of(const struct seccomp_data *call, uint32_t offset) {
  uint32_t word = 0;
  if (offset <= sizeof *call - sizeof word) memcpy(&word, (const char *)call + offset, sizeof word);
  return word;
}

static uint32_t run(const struct sock_filter *instructions, unsigned count, const struct seccomp_data *call) {
  uint32_t value = 0;
  for (unsigned at = 0; at < count; at++) {
    const struct sock_filter *it = &instructions[at];
    switch (it->code) {
      case BPF_LD | BPF_W | BPF_ABS: value = word_of(call, it->k); break;
      case BPF_ALU | BPF_AND | BPF_K: value &= it->k; break;
      case BPF_JMP | BPF_JA: at += it->k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: at += value == it->k ? it->jt : it->jf; break;
      case BPF_JMP | BPF_JGE | BPF_K: at += value >= it->k ? it->jt : it->jf; break;
      case BPF_RET | BPF_K: return it->k;
      default: return SECCOMP_RET_ERRNO | EPERM;
    }
  }
  return SECCOMP_RET_ERRNO | EPERM;
}

int filter_errno(const struct sock_filter *instructions, unsigned count, const struct seccomp_data *call) {
  uint32_t verdict = run(instructions, count, call);
  if ((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW) return 0;
  int error = (int)(verdict & SECCOMP_RET_DATA);
  return error ? error : EPERM; /* 0 would look like success */
}
