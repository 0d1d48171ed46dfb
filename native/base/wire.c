#include "wire.h"

static const unsigned char *take(struct reader *reader, size_t size) {
  if (reader->bad || (size_t)(reader->end - reader->at) < size) {
    reader->bad = true;
    return NULL;
  }
  const unsigned char *start = reader->at;
  reader->at += size;
  return start;
}

#define READ(type, name)                          \
  type name(struct reader *reader) {              \
    type value = 0;                               \
    const unsigned char *from = take(reader, sizeof value); \
    if (from) memcpy(&value, from, sizeof value); \
    return value;                                 \
  }
READ(uint8_t, read_u8)
READ(uint16_t, read_u16)
READ(uint32_t, read_u32)
READ(uint64_t, read_u64)

struct bytes read_bytes(struct reader *reader) {
  uint32_t length = read_u32(reader);
  const unsigned char *start = take(reader, length);
  return (struct bytes){start, start ? length : 0};
}

const char *read_string(struct reader *reader, char **room, const char *room_end) {
  struct bytes bytes = read_bytes(reader);
  if (reader->bad || (size_t)(room_end - *room) < bytes.length + 1) {
    reader->bad = true;
    return NULL;
  }
  for (size_t i = 0; i < bytes.length; i++)
    if (!bytes.start[i]) {
      reader->bad = true;
      return NULL;
    }
  char *text = *room;
  memcpy(text, bytes.start, bytes.length);
  text[bytes.length] = 0;
  *room += bytes.length + 1;
  return text;
}

bool read_done(const struct reader *reader) { return !reader->bad && reader->at == reader->end; }

static void put(struct writer *writer, const void *from, size_t size) {
  if (writer->full || (size_t)(writer->end - writer->at) < size) {
    writer->full = true;
    return;
  }
  memcpy(writer->at, from, size);
  writer->at += size;
}

void write_u8(struct writer *writer, uint8_t value) { put(writer, &value, sizeof value); }
void write_u16(struct writer *writer, uint16_t value) { put(writer, &value, sizeof value); }
void write_u32(struct writer *writer, uint32_t value) { put(writer, &value, sizeof value); }
void write_u64(struct writer *writer, uint64_t value) { put(writer, &value, sizeof value); }

void write_bytes(struct writer *writer, const void *bytes, size_t length) {
  write_u32(writer, (uint32_t)length);
  put(writer, bytes, length);
}

void write_text(struct writer *writer, const char *text) { write_bytes(writer, text, strlen(text)); }
