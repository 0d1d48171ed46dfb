/*
 * The readers of fields, in any order, on any bytes: what they give lies within the frame, and once bad is for ever bad. And
 * what they read is written back to the same bytes. Each byte of the first half of an input names a reader.
 */
#include "heap_arena.h"

#include "base/wire.h"

static void read_strings_too(struct reader *reader, struct writer *writer) {
  struct arena arena;
  const unsigned char *before = reader->at;
  arena_open(&arena, arena_size_for((size_t)(reader->end - before)));
  char **strings = arena_read_strings(&arena, reader);
  uint32_t count = 0;
  while (!reader->bad && strings[count]) count++;
  if (!reader->bad) write_u32(writer, count);
  for (uint32_t i = 0; !reader->bad && i < count; i++) write_text(writer, strings[i]);
  CHECK(arena.at <= arena.end);
  arena_close(&arena);
}

static void read_string_too(struct reader *reader, struct writer *writer, size_t room_bytes) {
  char *room = malloc(room_bytes ? room_bytes : 1), *at = room;
  const char *text = read_string(reader, &at, room + room_bytes);
  CHECK((text == NULL) == reader->bad);
  if (text) {
    CHECK(text == room && at == room + strlen(text) + 1 && at <= room + room_bytes);
    write_text(writer, text);
  }
  free(room);
}

static void read_one(unsigned char which, struct reader *reader, struct writer *writer) {
  uint64_t value = 0;
  struct bytes bytes;
  switch (which % 7) {
    case 0: write_u8(writer, (uint8_t)(value = read_u8(reader))); break;
    case 1: write_u16(writer, (uint16_t)(value = read_u16(reader))); break;
    case 2: write_u32(writer, (uint32_t)(value = read_u32(reader))); break;
    case 3: write_u64(writer, value = read_u64(reader)); break;
    case 4:
      bytes = read_bytes(reader);
      CHECK(reader->bad ? bytes.length == 0 : bytes.start + bytes.length == reader->at);
      write_bytes(writer, bytes.start, bytes.length);
      break;
    case 5: read_string_too(reader, writer, which); break;
    default: read_strings_too(reader, writer);
  }
  if (reader->bad) CHECK(value == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t orders = size / 2, length = size - orders;
  unsigned char *frame = exact_copy(data + orders, length), *copy = malloc(length + 64);
  struct reader reader = {frame, frame + length, false};
  struct writer writer = {copy, copy + length + 64, false};
  for (size_t i = 0; i < orders && !reader.bad; i++) {
    const unsigned char *before = reader.at;
    unsigned char *written = writer.at;
    read_one(data[i], &reader, &writer);
    CHECK(reader.at >= before && reader.at <= reader.end);
    if (reader.bad) break;
    CHECK(!writer.full && writer.at - written == reader.at - before);
    CHECK(memcmp(written, before, (size_t)(reader.at - before)) == 0);
  }
  CHECK(!reader.bad || (!read_done(&reader) && read_u64(&reader) == 0 && reader.bad));
  CHECK(reader.bad || read_done(&reader) == (reader.at == reader.end));
  free(copy);
  free(frame);
  return 0;
}
