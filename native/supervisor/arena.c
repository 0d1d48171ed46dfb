#include "arena.h"

#include <linux/mman.h>

#define ALIGNMENT 16

size_t arena_size_for(size_t frame_length) { return frame_length * 16 + 4096; }

long arena_open(struct arena *arena, size_t size) {
  long room = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  arena->start = NULL;
  if (room < 0 && room > -4096) return room;
  arena->start = arena->at = (char *)room;
  arena->end = arena->start + size;
  return 0;
}

void arena_close(struct arena *arena) {
  if (arena->start) SYS(munmap, arena->start, arena->end - arena->start);
  arena->start = arena->at = arena->end = NULL;
}

void *arena_take(struct arena *arena, size_t size) {
  size_t skip = (ALIGNMENT - (uintptr_t)arena->at % ALIGNMENT) % ALIGNMENT;
  if ((size_t)(arena->end - arena->at) < skip + size) return NULL;
  char *taken = arena->at + skip;
  arena->at = taken + size;
  return taken;
}

char **arena_read_strings(struct arena *arena, struct reader *reader) {
  uint32_t count = read_u32(reader);
  /* Each string takes at least the four bytes of its length. */
  if (reader->bad || count > (size_t)(reader->end - reader->at) / 4) {
    reader->bad = true;
    return NULL;
  }
  char **strings = arena_take(arena, (count + 1) * sizeof *strings);
  if (!strings) {
    reader->bad = true;
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) strings[i] = (char *)read_string(reader, &arena->at, arena->end);
  strings[count] = NULL;
  return strings;
}
