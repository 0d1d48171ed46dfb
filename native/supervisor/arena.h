/* Memory for what one frame says, all of it taken at once and, where it is to be, given back at once. */
#ifndef PINFOLD_ARENA_H
#define PINFOLD_ARENA_H

#include "../base/wire.h"

struct arena {
  char *start, *at, *end;
};

long arena_open(struct arena *arena, size_t size);
void arena_close(struct arena *arena);
/* Aligned for anything; NULL where it is used up. */
void *arena_take(struct arena *arena, size_t size);
/* list<string> as an array that ends with NULL; NULL where the frame is bad or the arena used up. */
char **arena_read_strings(struct arena *arena, struct reader *reader);
/* How much an arena needs for a frame of this length, at the most: each string at least has its length before it. */
size_t arena_size_for(size_t frame_length);

#endif
