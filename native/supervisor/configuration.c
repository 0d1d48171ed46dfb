#include "configuration.h"

#include <asm/errno.h>

#include "arena.h"

static void read_entry(struct view_entry *entry, struct arena *arena, struct reader *reader) {
  entry->kind = read_u8(reader);
  entry->flags = read_u8(reader);
  entry->path = read_string(reader, &arena->at, arena->end);
  entry->source = read_string(reader, &arena->at, arena->end);
  struct bytes content = read_bytes(reader);
  char *copy = reader->bad ? NULL : arena_take(arena, content.length);
  if (!copy || entry->kind < VIEW_DIRECTORY || entry->kind > VIEW_DEVICE || entry->path[0] != '/') {
    reader->bad = true;
    return;
  }
  memcpy(copy, content.start, content.length);
  entry->content = (unsigned char *)copy;
  entry->content_length = content.length;
}

static void read_view(struct configuration *configuration, struct arena *arena, struct reader *reader) {
  uint32_t count = read_u32(reader);
  size_t smallest = 14; /* two bytes and three lengths */
  if (reader->bad || count > (size_t)(reader->end - reader->at) / smallest) {
    reader->bad = true;
    return;
  }
  configuration->view = arena_take(arena, count * sizeof *configuration->view);
  configuration->view_count = count;
  if (!configuration->view) reader->bad = true;
  for (uint32_t i = 0; i < count && !reader->bad; i++) read_entry(&configuration->view[i], arena, reader);
}

static void read_filter(struct configuration *configuration, struct arena *arena, struct reader *reader) {
  struct bytes filter = read_bytes(reader);
  size_t count = filter.length / sizeof(struct sock_filter);
  struct sock_filter *copy = reader->bad ? NULL : arena_take(arena, filter.length);
  if (!copy || filter.length % sizeof *copy != 0 || count == 0 || count > FILTER_MAX) {
    reader->bad = true;
    return;
  }
  memcpy(copy, filter.start, filter.length);
  configuration->filter = copy;
  configuration->filter_count = (uint32_t)count;
}

static bool points_nowhere(uint8_t argument) { return argument > DENIAL_ARGUMENTS; }

/* list of (u32 number, u8 values, u8 text, u8 textLength): see struct shown. */
static void read_shown(struct configuration *configuration, struct reader *reader) {
  uint32_t count = read_u32(reader);
  if (count > SHOWN_MAX) reader->bad = true;
  for (uint32_t i = 0; i < count && !reader->bad; i++) {
    struct shown *shown = &configuration->shown[i];
    shown->number = read_u32(reader);
    shown->values = read_u8(reader);
    shown->text = read_u8(reader);
    shown->text_length = read_u8(reader);
    if (points_nowhere(shown->text) || points_nowhere(shown->text_length)) reader->bad = true;
  }
  configuration->shown_count = count;
}

/* Landlock needs the writable paths in every job: one after the other, each with its NUL. */
static bool list_writable(struct configuration *configuration) {
  for (size_t i = 0; i < configuration->view_count; i++) {
    const struct view_entry *entry = &configuration->view[i];
    if (entry->kind != VIEW_WRITABLE) continue;
    size_t length = strlen(entry->path) + 1;
    if (length > WRITABLE_MAX - configuration->writable_bytes) return false;
    memcpy(configuration->writable + configuration->writable_bytes, entry->path, length);
    configuration->writable_bytes += (uint32_t)length;
  }
  return true;
}

static long read_fields(struct configuration *configuration, struct arena *arena, struct reader *reader) {
  uint32_t version = read_u32(reader);
  const char *package = read_string(reader, &arena->at, arena->end);
  if (reader->bad || version != PROTOCOL_VERSION || !text_equal(package, PINFOLD_VERSION)) return -ESTALE;
  configuration->flags = read_u32(reader);
  configuration->warm = read_u32(reader);
  configuration->scratch_bytes = read_u64(reader);
  read_view(configuration, arena, reader);
  configuration->executable = read_string(reader, &arena->at, arena->end);
  configuration->argv = arena_read_strings(arena, reader);
  configuration->env = arena_read_strings(arena, reader);
  read_filter(configuration, arena, reader);
  read_shown(configuration, reader);
  return read_done(reader) && configuration->warm <= WARM_MAX && list_writable(configuration) ? 0 : -EPROTO;
}

long configuration_read(struct configuration *configuration, const unsigned char *payload, size_t length) {
  struct arena arena;
  struct reader reader = {payload, payload + length, false};
  long result = arena_open(&arena, arena_size_for(length));
  if (result == 0) result = read_fields(configuration, &arena, &reader);
  if (result < 0) arena_close(&arena);
  return result;
}
