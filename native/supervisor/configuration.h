/* What CONFIGURE says: decoded once, checked, and kept for every zygote. */
#ifndef PINFOLD_CONFIGURATION_H
#define PINFOLD_CONFIGURATION_H

#include <linux/filter.h>

#include "../confine/control.h"
#include "../confine/mounts.h"
#include "frames.h"

#define CONFIGURATION_NETWORK 1
#define WARM_MAX 1024

struct configuration {
  uint32_t flags, warm;
  uint64_t scratch_bytes;
  struct view_entry *view;
  size_t view_count;
  const char *executable;
  char **argv, **env;
  const struct sock_filter *filter;
  uint32_t filter_count;
  struct shown shown[SHOWN_MAX];
  uint32_t shown_count;
  char writable[WRITABLE_MAX];
  uint32_t writable_bytes;
};

/* Keeps copies of all that it needs. 0, -EPROTO where the frame is not well-formed, -ESTALE for another version. */
long configuration_read(struct configuration *configuration, const unsigned char *payload, size_t length);

#endif
