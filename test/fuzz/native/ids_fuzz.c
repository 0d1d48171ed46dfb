/* A /proc/self/uid_map that no kernel ever wrote, behind four bytes that say which id is wanted. */
#include "confine/ids.h"
#include "fuzz.h"

/* True where both ids stand in one line of a map whose numbers the C library reads the same way. */
static bool holds_pair(const char *map, uint64_t first) {
  unsigned long long inside, outside, count;
  int used = 0;
  for (const char *at = map; sscanf(at, " %llu %llu %llu%n", &inside, &outside, &count, &used) == 3; at += used)
    if (first >= inside && first - inside + 1 < count) return true;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t wanted, first = 0;
  if (size < sizeof wanted) return 0;
  memcpy(&wanted, data, sizeof wanted);
  size_t length = strnlen((const char *)data + sizeof wanted, size - sizeof wanted);
  char *map = malloc(length + 1);
  memcpy(map, data + sizeof wanted, length);
  map[length] = 0;
  if (ids_choose_pair(map, wanted, &first)) CHECK(holds_pair(map, first));
  free(map);
  return 0;
}
