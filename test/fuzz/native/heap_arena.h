/* The supervisor's arena, but on the heap: of exactly the size that is asked for, seen by the sanitizer, and given back. */
#ifndef PINFOLD_HEAP_ARENA_H
#define PINFOLD_HEAP_ARENA_H

#include "supervisor/arena.h"

long mapped_arena_open(struct arena *arena, size_t size);
void mapped_arena_close(struct arena *arena);

#define arena_open mapped_arena_open
#define arena_close mapped_arena_close
#include "supervisor/arena.c"
#undef arena_open
#undef arena_close

#include "fuzz.h"

static struct arena last_arena;

long arena_open(struct arena *arena, size_t size) {
  arena->start = arena->at = malloc(size);
  arena->end = arena->start + size;
  last_arena = *arena;
  return 0;
}

void arena_close(struct arena *arena) {
  free(arena->start);
  arena->start = arena->at = arena->end = NULL;
  last_arena.start = NULL;
}

/* What is kept for good where it is not fuzzed. */
static inline void free_kept_arena(void) {
  free(last_arena.start);
  last_arena.start = NULL;
}

#endif
