/* Tables of /proc as they are found in the field: where a group of our own may be made. */
#include "confine/control_group_paths.h"

#include "check.h"

static const char *const v1_groups =
    "9:name=systemd:/\n8:pids:/\n4:memory:/app/7c0b\n2:cpu,cpuacct:/user.slice\n0::/\n";
static const char *const v1_mounts =
    "28 24 0:25 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw,mode=755\n"
    "29 28 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "30 28 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "31 28 0:28 / /sys/fs/cgroup/pids rw,relatime shared:6 master:1 - cgroup cgroup rw,pids\n"
    "32 28 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static bool is(const char *groups, const char *mounts, const char *controller, const char *expected) {
  TEXT(parent, 256);
  bool found = control_group_parent(groups, mounts, controller, &parent);
  bool holds = expected ? found && text_equal(parent.start, expected) : !found;
  if (!holds) fprintf(stderr, "%s: got %s\n", controller ? controller : "v2", found ? parent.start : "nothing");
  return holds;
}

static void version_1(void) {
  CHECK(is(v1_groups, v1_mounts, "memory", "/sys/fs/cgroup/memory/app/7c0b"));
  CHECK(is(v1_groups, v1_mounts, "pids", "/sys/fs/cgroup/pids"));
  CHECK(is(v1_groups, v1_mounts, "cpuacct", "/sys/fs/cgroup/cpu,cpuacct/user.slice"));
  CHECK(is(v1_groups, v1_mounts, "cpuset", NULL));
  CHECK(is(v1_groups, v1_mounts, NULL, "/sys/fs/cgroup/unified"));
}

static void version_2(void) {
  const char *mounts = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
  CHECK(is("0::/user.slice/user-1000.slice/app.scope\n", mounts, NULL,
           "/sys/fs/cgroup/user.slice/user-1000.slice/app.scope"));
  CHECK(is("0::/\n", mounts, NULL, "/sys/fs/cgroup"));
  CHECK(is("0::/\n", mounts, "memory", NULL));
}

/* In a Docker container of version 1, the container's group is mounted as the root of the hierarchy. */
static void inside_docker(void) {
  const char *groups = "4:memory:/docker/abc\n3:pids:/docker/abcd/init\n";
  const char *mounts =
      "700 690 0:30 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory\n"
      "701 690 0:31 /docker/abc /sys/fs/cgroup/pids ro,nosuid master:18 - cgroup cgroup rw,pids\n";
  CHECK(is(groups, mounts, "memory", "/sys/fs/cgroup/memory"));
  CHECK(is(groups, mounts, "pids", NULL)); /* "abcd" is not below "abc" */
}

static void nonsense(void) {
  CHECK(is("", "", "memory", NULL));
  CHECK(is("4:memory", v1_mounts, "memory", NULL));
  CHECK(is("\n\n:::\n4:memory:/x\n", "1 2\n\n- - -\n", "memory", NULL));
  char long_groups[2100] = "4:memory:/";
  for (size_t i = 10; i < sizeof long_groups - 1; i++) long_groups[i] = 'a';
  CHECK(is(long_groups, v1_mounts, "memory", NULL)); /* cut: never a wrong group */
}

int main(void) {
  version_1();
  version_2();
  inside_docker();
  nonsense();
  return CHECKED;
}
