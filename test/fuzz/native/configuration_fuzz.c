/* The payload of CONFIGURE: refused, or decoded to what keeps all the promises of configuration.h. */
#include "heap_arena.h"
#include "supervisor/configuration.h"

static void check_strings(char *const *strings) {
  CHECK(strings != NULL);
  for (; *strings; strings++) CHECK(strlen(*strings) < SIZE_MAX);
}

static void check_view(const struct view_entry *entry) {
  static volatile unsigned char seen;
  CHECK(entry->kind >= VIEW_DIRECTORY && entry->kind <= VIEW_DEVICE);
  CHECK(entry->path[0] == '/' && strlen(entry->source) < SIZE_MAX);
  for (size_t i = 0; i < entry->content_length; i++) seen = entry->content[i];
  (void)seen;
}

static void check_writable(const struct configuration *configuration) {
  CHECK(configuration->writable_bytes <= WRITABLE_MAX);
  size_t count = 0, expected = 0;
  for (uint32_t at = 0; at < configuration->writable_bytes; count++) {
    CHECK(configuration->writable[at] == '/');
    at += (uint32_t)strnlen(configuration->writable + at, configuration->writable_bytes - at) + 1;
    CHECK(at <= configuration->writable_bytes);
  }
  for (size_t i = 0; i < configuration->view_count; i++) expected += configuration->view[i].kind == VIEW_WRITABLE;
  CHECK(count == expected);
}

static void check(const struct configuration *configuration) {
  for (size_t i = 0; i < configuration->view_count; i++) check_view(&configuration->view[i]);
  CHECK(strlen(configuration->executable) < SIZE_MAX);
  check_strings(configuration->argv);
  check_strings(configuration->env);
  CHECK(configuration->warm <= WARM_MAX);
  CHECK(configuration->filter_count > 0 && configuration->filter_count <= FILTER_MAX);
  CHECK(configuration->filter[configuration->filter_count - 1].code <= UINT16_MAX);
  check_writable(configuration);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct configuration configuration;
  memset(&configuration, 0, sizeof configuration);
  unsigned char *payload = exact_copy(data, size);
  long result = configuration_read(&configuration, payload, size);
  free(payload); /* it keeps copies of all that it needs */
  CHECK(result <= 0 && result > -4096);
  if (result == 0) check(&configuration);
  else CHECK(last_arena.start == NULL);
  free_kept_arena();
  return 0;
}
