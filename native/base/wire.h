/* Bounds-checked reading and writing of the fields of a frame (docs/protocol.md). Little endian, as both machines are. */
#ifndef PINFOLD_WIRE_H
#define PINFOLD_WIRE_H

#include "base.h"

/* Reads past the end give zeros and set `bad`, which never clears: check it once, after the last field. */
struct reader {
  const unsigned char *at, *end;
  bool bad;
};

struct bytes {
  const unsigned char *start;
  size_t length;
};

uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
struct bytes read_bytes(struct reader *reader);
/* A string for C: refuses a NUL inside, copies with a NUL at the end to `*room` and moves that on. NULL when bad. */
const char *read_string(struct reader *reader, char **room, const char *room_end);
/* True where nothing was missing and nothing is left over. */
bool read_done(const struct reader *reader);

struct writer {
  unsigned char *at, *end;
  bool full;
};

void write_u8(struct writer *writer, uint8_t value);
void write_u16(struct writer *writer, uint16_t value);
void write_u32(struct writer *writer, uint32_t value);
void write_u64(struct writer *writer, uint64_t value);
void write_bytes(struct writer *writer, const void *bytes, size_t length);
void write_text(struct writer *writer, const char *text);

#endif
