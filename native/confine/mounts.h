/* The mounts that a zygote and its jobs see: a private root, made once; scratch and /proc, made for each job. */
#ifndef PINFOLD_MOUNTS_H
#define PINFOLD_MOUNTS_H

#include "steps.h"

enum view_kind { VIEW_DIRECTORY = 1, VIEW_FILE, VIEW_LINK, VIEW_READ_ONLY, VIEW_WRITABLE, VIEW_DEVICE };
#define VIEW_OPTIONAL 1

struct view_entry {
  uint8_t kind, flags;
  const char *path, *source;
  const unsigned char *content;
  size_t content_length;
  int tree; /* a detached copy of `source`, from mounts_collect; -1: none */
  bool directory;
};

/* A mount namespace of its own, from which nothing propagates. */
long mounts_enter(void *unused, struct failure *failure);
/* Takes a detached, narrowed copy of every source. As root this comes before the user namespace is entered: inside, root
 * may no longer pass through directories of others. An unprivileged caller can do it inside only. */
long mounts_collect(struct view_entry *entries, size_t count, struct failure *failure);
/* An empty tmpfs becomes the root, and the host's root is gone. */
long mounts_new_root(void *unused, struct failure *failure);
/* Makes the entries in the new root, and makes that read-only. */
long mounts_view(const struct view_entry *entries, size_t count, struct failure *failure);
long mounts_seal_root(void *unused, struct failure *failure);

/* A zygote has a scratch of its own while it preloads, for modules that want to write where they keep their caches. */
long mounts_drop_scratch(void);

/* In a job's own mount namespace. */
long mounts_scratch(uint64_t scratch_bytes, uint32_t owner_id, struct failure *failure);
long mounts_proc(bool root_group, struct failure *failure);
long mounts_hide_inside(struct failure *failure);

#endif
