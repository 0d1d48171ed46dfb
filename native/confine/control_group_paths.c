#include "control_group_paths.h"

/* True where `word` stands in the comma-separated list of `length` bytes. */
static bool listed(const char *list, size_t length, const char *word) {
  size_t size = strlen(word);
  for (size_t at = 0; at + size <= length; at++) {
    bool begins = at == 0 || list[at - 1] == ',';
    bool ends = at + size == length || list[at + size] == ',';
    if (begins && ends && memcmp(list + at, word, size) == 0) return true;
  }
  return false;
}

static size_t until(const char *at, char stop) {
  size_t length = 0;
  while (at[length] && at[length] != stop && at[length] != '\n') length++;
  return length;
}

/* /proc/self/cgroup: "4:memory:/path", and "0::/path" for version 2, which `controller` NULL asks for. */
static bool own_path(const char *table, const char *controller, struct text *path) {
  for (const char *line = table; *line; line = text_next_line(line)) {
    const char *list = line + until(line, ':');
    if (*list != ':') continue;
    list++;
    size_t length = until(list, ':');
    if (list[length] != ':') continue;
    if (controller ? !listed(list, length, controller) : length != 0) continue;
    text_add_bytes(path, list + length + 1, until(list + length + 1, '\n'));
    return !path->cut;
  }
  return false;
}

/* The field after `skip` spaces. */
static const char *field(const char *line, int skip) {
  while (skip > 0 && *line && *line != '\n')
    if (*line++ == ' ') skip--;
  return line;
}

/* One line of /proc/self/mountinfo: id parent device ROOT POINT options [more] - TYPE source SUPEROPTIONS. */
static bool mount_matches(const char *line, const char *controller) {
  const char *at = field(line, 6);
  while (*at && *at != '\n' && !text_starts(at, "- ")) at = field(at, 1);
  const char *type = field(at, 1), *super_options = field(at, 3);
  if (!controller) return text_starts(type, "cgroup2 ");
  return text_starts(type, "cgroup ") && listed(super_options, until(super_options, '\n'), controller);
}

static bool lies_below(const struct text *path, const char *root, size_t root_length) {
  if (path->length < root_length || memcmp(path->start, root, root_length) != 0) return false;
  return path->start[root_length] == '/' || path->start[root_length] == 0;
}

bool control_group_parent(const char *groups, const char *mounts, const char *controller, struct text *parent) {
  TEXT(path, 1024);
  if (!own_path(groups, controller, &path)) return false;
  for (const char *line = mounts; *line; line = text_next_line(line)) {
    if (!mount_matches(line, controller)) continue;
    const char *root = field(line, 3), *point = field(line, 4);
    size_t root_length = until(root, ' ');
    if (root_length == 1) root_length = 0;
    if (!lies_below(&path, root, root_length)) continue;
    text_add_bytes(parent, point, until(point, ' '));
    if (!text_equal(path.start + root_length, "/")) text_add(parent, path.start + root_length);
    return !parent->cut;
  }
  return false;
}
