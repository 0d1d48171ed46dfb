#include "capabilities.h"

#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "../base/base.h"

#define HIGHEST_POSSIBLE 63 /* the kernel answers EINVAL past the last that it knows */

bool capabilities_have(uint64_t wanted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  if (SYS(capget, &header, sets) < 0) return false;
  uint64_t effective = sets[0].effective | (uint64_t)sets[1].effective << 32;
  return (effective & wanted) == wanted;
}

long capabilities_keep(uint64_t kept) {
  for (long capability = 0; capability <= HIGHEST_POSSIBLE; capability++) {
    long result = SYS(prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (result == -EINVAL) break;
    if (result < 0) return result;
  }
  long result = SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (result < 0) return result;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  uint32_t low = (uint32_t)kept, high = (uint32_t)(kept >> 32);
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{low, low, 0}, {high, high, 0}};
  return SYS(capset, &header, sets);
}
