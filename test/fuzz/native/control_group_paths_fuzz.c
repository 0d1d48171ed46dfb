/* Tables of /proc that no kernel ever wrote. An input is three texts, each with a NUL behind it: groups, mounts, controller. */
#include "confine/control_group_paths.h"
#include "fuzz.h"

static char *next_text(const uint8_t **data, size_t *size) {
  size_t length = strnlen((const char *)*data, *size);
  char *text = malloc(length + 1);
  memcpy(text, *data, length);
  text[length] = 0;
  size_t used = length < *size ? length + 1 : length;
  *data += used;
  *size -= used;
  return text;
}

static void find(const char *groups, const char *mounts, const char *controller) {
  TEXT(parent, 128);
  if (!control_group_parent(groups, mounts, controller, &parent)) return;
  CHECK(!parent.cut && parent.length < sizeof parent_buffer && strlen(parent.start) == parent.length);
  CHECK(!strchr(parent.start, '\n'));
}

static void numbers_of(const char *text) {
  for (const char *line = text; *line; line = text_next_line(line)) {
    const char *at = line;
    uint64_t number = 0;
    if (text_number(&at, &number)) CHECK(at > line && at <= line + strlen(line) && number == strtoull(line, NULL, 10));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *groups = next_text(&data, &size), *mounts = next_text(&data, &size), *controller = next_text(&data, &size);
  find(groups, mounts, NULL);
  find(groups, mounts, "memory");
  find(groups, mounts, controller);
  numbers_of(groups);
  free(groups);
  free(mounts);
  free(controller);
  return 0;
}
