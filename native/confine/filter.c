#include "filter.h"

#include <asm/errno.h>
#include <linux/seccomp.h>

#include "../base/base.h"

long filter_install(const struct sock_filter *instructions, unsigned count) {
  struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)instructions};
  long result = SYS(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  return result > 0 ? -ESRCH : result; /* a thread that can't take the filter is told by its id */
}
