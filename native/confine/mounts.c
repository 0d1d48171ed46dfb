#include "mounts.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>

#include "control.h"

/* From <sys/mount.h>, which can't be included beside <linux/mount.h>. */
#define DETACH 2
#define PATH_LIMIT 4096

long mounts_enter(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  long result = SYS(unshare, CLONE_NEWNS);
  /* Nothing that happens in here may propagate to the host, and pivot_root refuses shared mounts. */
  return result < 0 ? result : SYS(mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0);
}

/* A copy of the mounts at `source`, narrowed before anybody can see it. */
static long detached_copy(const char *source, uint64_t attributes) {
  long tree = SYS(open_tree, AT_FDCWD, source, AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return tree;
  struct mount_attr wanted = {.attr_set = attributes};
  long result = SYS(mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted);
  if (result == 0) return tree;
  SYS(close, tree);
  return result;
}

static bool is_directory(long fd) {
  long inside = SYS(openat, fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (inside >= 0) SYS(close, inside);
  return inside >= 0;
}

static uint64_t attributes_of(uint8_t kind) {
  switch (kind) {
    case VIEW_READ_ONLY: return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    case VIEW_WRITABLE: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    case VIEW_DEVICE: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    default: return 0;
  }
}

static int host_proc = -1;

long mounts_collect(struct view_entry *entries, size_t count, struct failure *failure) {
  long proc = detached_copy("/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (proc < 0) return failure_at(failure, "/proc", proc);
  host_proc = (int)proc;
  for (size_t i = 0; i < count; i++) {
    struct view_entry *entry = &entries[i];
    entry->tree = -1;
    if (!attributes_of(entry->kind)) continue;
    long tree = detached_copy(entry->source, attributes_of(entry->kind));
    if (tree < 0 && (entry->flags & VIEW_OPTIONAL) && (tree == -ENOENT || tree == -EACCES)) continue;
    if (tree < 0) return failure_at(failure, entry->source, tree);
    entry->tree = (int)tree;
    entry->directory = is_directory(tree);
  }
  return 0;
}

long mounts_new_root(void *unused, struct failure *failure) {
  (void)unused;
  /* Any directory will do to mount upon: nobody sees it covered. */
  long result = failure_at(failure, "/tmp", SYS(mount, "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m"));
  if (result == 0) result = SYS(chdir, "/tmp");
  /* With one name for both, the old root is mounted over the new one, and is the one that is taken off: pivot_root(2). */
  if (result == 0) result = SYS(pivot_root, ".", ".");
  if (result == 0) result = SYS(umount2, ".", DETACH);
  if (result == 0) result = SYS(chdir, "/");
  return result;
}

/* Makes every missing directory above the last part of `path`. */
static long make_parents(const char *path) {
  char part[PATH_LIMIT];
  size_t length = strlen(path);
  if (length >= sizeof part) return -ENAMETOOLONG;
  memcpy(part, path, length + 1);
  for (size_t i = 1; i < length; i++) {
    if (part[i] != '/') continue;
    part[i] = 0;
    long result = SYS(mkdirat, AT_FDCWD, part, 0755);
    if (result < 0 && result != -EEXIST && result != -EROFS) return result;
    part[i] = '/';
  }
  return 0;
}

static long make_directory(const char *path) {
  long result = SYS(mkdirat, AT_FDCWD, path, 0755);
  return result == -EEXIST ? 0 : result;
}

/* Never one that is there: inside a writable mount that would be a file of the host's. */
static long make_file(const char *path, const unsigned char *content, size_t length) {
  long fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return fd;
  long result = 0;
  while (length > 0 && (result = SYS(write, fd, content, length)) > 0) {
    content += result;
    length -= (size_t)result;
  }
  SYS(close, fd);
  return result < 0 ? result : 0;
}

static long attach(long tree, const char *path) {
  return SYS(move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static long bind(const struct view_entry *entry) {
  if (entry->tree < 0) return 0; /* optional, and not there */
  long result = entry->directory ? make_directory(entry->path) : make_file(entry->path, NULL, 0);
  /* Below a bind that is already there, which may be read-only, the mount point has to exist by itself. */
  if (result == -EEXIST || result == -EROFS || result == -EACCES) result = 0;
  return result < 0 ? result : attach(entry->tree, entry->path);
}

static long make_entry(const struct view_entry *entry) {
  long result = make_parents(entry->path);
  if (result < 0) return result;
  switch (entry->kind) {
    case VIEW_DIRECTORY: return make_directory(entry->path);
    case VIEW_FILE: return make_file(entry->path, entry->content, entry->content_length);
    case VIEW_LINK: return SYS(symlinkat, entry->source, AT_FDCWD, entry->path);
    case VIEW_READ_ONLY:
    case VIEW_WRITABLE:
    case VIEW_DEVICE: return bind(entry);
    default: return -EINVAL;
  }
}

/* Where jobs get mounts of their own, and the host's /proc: the kernel lets a user namespace mount a new one only where
 * a whole one is visible already. Each job replaces it. */
static long make_mount_points(struct failure *failure) {
  static const char *const directories[] = {PATH_WORK, PATH_TMP, "/dev", PATH_SHM, "/proc"};
  for (size_t i = 0; i < COUNT_OF(directories); i++) {
    long result = failure_at(failure, directories[i], make_directory(directories[i]));
    if (result < 0) return result;
  }
  long result = failure_at(failure, PATH_INSIDE, make_directory(PATH_INSIDE));
  if (result == 0) result = SYS(mount, "tmpfs", PATH_INSIDE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m");
  return result < 0 ? result : failure_at(failure, "/proc", attach(host_proc, "/proc"));
}

long mounts_view(const struct view_entry *entries, size_t count, struct failure *failure) {
  long result = make_mount_points(failure);
  for (size_t i = 0; result == 0 && i < count; i++) {
    result = failure_at(failure, entries[i].path, make_entry(&entries[i]));
  }
  return result;
}

long mounts_seal_root(void *unused, struct failure *failure) {
  (void)unused;
  (void)failure;
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
  return SYS(mount_setattr, AT_FDCWD, "/", 0, &read_only, sizeof read_only);
}

static long make_owned(const char *path, unsigned mode, uint32_t id) {
  long result = SYS(mkdirat, AT_FDCWD, path, 0700);
  if (result == 0) result = SYS(fchownat, AT_FDCWD, path, id, id, 0);
  return result < 0 ? result : SYS(fchmodat, AT_FDCWD, path, mode);
}

/* One file system of limited size for all that its owner can write, seen at three places. */
long mounts_scratch(uint64_t scratch_bytes, uint32_t owner_id, struct failure *failure) {
  uint64_t inodes = scratch_bytes / 4096;
  if (inodes < 1024) inodes = 1024;
  if (inodes > 1048576) inodes = 1048576;
  TEXT(options, 96);
  text_add_number(text_add(&options, "mode=755,size="), scratch_bytes);
  text_add_number(text_add(&options, ",nr_inodes="), inodes);
  const unsigned long flags = MS_NOSUID | MS_NODEV;
  long result = failure_at(failure, PATH_TMP, SYS(mount, "tmpfs", PATH_TMP, "tmpfs", flags, options.start));
  if (result == 0) result = make_owned(PATH_TMP "/work", 0700, owner_id);
  if (result == 0) result = make_owned(PATH_TMP "/shm", 01777, owner_id);
  if (result == 0) result = make_owned(PATH_TMP "/tmp", 01777, owner_id);
  if (result == 0) result = failure_at(failure, PATH_WORK, SYS(mount, PATH_TMP "/work", PATH_WORK, 0, MS_BIND, 0));
  if (result == 0) result = failure_at(failure, PATH_SHM, SYS(mount, PATH_TMP "/shm", PATH_SHM, 0, MS_BIND, 0));
  if (result == 0) result = failure_at(failure, PATH_TMP, SYS(mount, PATH_TMP "/tmp", PATH_TMP, 0, MS_BIND, 0));
  return result < 0 ? result : SYS(chdir, PATH_WORK);
}

/* /tmp twice: the file system itself, and the one of its directories that lies on it. */
long mounts_drop_scratch(void) {
  static const char *const places[] = {PATH_WORK, PATH_SHM, PATH_TMP, PATH_TMP};
  long result = 0;
  for (size_t i = 0; result == 0 && i < COUNT_OF(places); i++) result = SYS(umount2, places[i], DETACH);
  return result;
}

static long configure(long context, const char *key, const char *value) {
  return SYS(fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

/* Only the job's own processes, and of /proc only what is about processes. The mode 2 exempts the group 0; the other answers
 * EPERM instead of ENOENT where somebody else has looked before. */
static long new_proc(bool root_group) {
  long context = SYS(fsopen, "proc", FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = configure(context, "hidepid", root_group ? "ptraceable" : "2");
  if (result == 0) result = configure(context, "subset", "pid");
  if (result == 0) result = SYS(fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result == 0)
    result = SYS(fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  SYS(close, context);
  return result;
}

long mounts_proc(bool root_group, struct failure *failure) {
  long proc = new_proc(root_group);
  if (proc < 0) return failure_at(failure, "/proc", proc);
  long result = SYS(umount2, "/proc", DETACH); /* the host's: it was there for the check in make_mount_points */
  if (result == 0) result = attach(proc, "/proc");
  SYS(close, proc);
  return failure_at(failure, "/proc", result);
}

long mounts_hide_inside(struct failure *failure) {
  return failure_at(failure, PATH_INSIDE, SYS(umount2, PATH_INSIDE, DETACH));
}
