/* The fields of a frame: what goes in comes out, and nothing is ever read or written past an end. */
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A copy on the heap of exactly this size, so that the sanitizer sees the first byte past it. */
static struct reader reader_of(const void *bytes, size_t size) {
  unsigned char *copy = malloc(size ? size : 1);
  memcpy(copy, bytes, size);
  return (struct reader){copy, copy + size, false};
}

static void every_kind_comes_back(void) {
  unsigned char *buffer = malloc(64);
  struct writer writer = {buffer, buffer + 64, false};
  write_u8(&writer, 0xfe);
  write_u16(&writer, 0xfedc);
  write_u32(&writer, 0xfedcba98);
  write_u64(&writer, 0xfedcba9876543210);
  write_bytes(&writer, "a\0b", 3);
  write_text(&writer, "text");
  CHECK(!writer.full);
  CHECK(writer.at - buffer == 1 + 2 + 4 + 8 + 7 + 8);
  CHECK(memcmp(buffer, "\xfe\xdc\xfe\x98\xba\xdc\xfe", 7) == 0);

  struct reader reader = {buffer, writer.at, false};
  CHECK(read_u8(&reader) == 0xfe);
  CHECK(read_u16(&reader) == 0xfedc);
  CHECK(read_u32(&reader) == 0xfedcba98);
  CHECK(read_u64(&reader) == 0xfedcba9876543210);
  struct bytes bytes = read_bytes(&reader);
  CHECK(bytes.length == 3 && memcmp(bytes.start, "a\0b", 3) == 0);
  CHECK(!read_done(&reader));
  char room[5], *at = room;
  const char *text = read_string(&reader, &at, room + sizeof room);
  CHECK(text && strcmp(text, "text") == 0);
  CHECK(at == room + 5);
  CHECK(read_done(&reader));
  free(buffer);
}

static void every_cut_is_noticed(void) {
  const unsigned char whole[] = {1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'};
  for (size_t size = 0; size <= sizeof whole; size++) {
    struct reader reader = reader_of(whole, size);
    unsigned char *start = (unsigned char *)reader.at;
    read_u8(&reader);
    read_u16(&reader);
    read_u32(&reader);
    read_u64(&reader);
    struct bytes bytes = read_bytes(&reader);
    CHECK(read_done(&reader) == (size == sizeof whole));
    CHECK(reader.bad == (size < sizeof whole));
    CHECK(bytes.length == (size == sizeof whole ? 2 : 0));
    free(start);
  }
}

static void bad_stays_bad(void) {
  struct reader reader = reader_of("ab", 2);
  unsigned char *start = (unsigned char *)reader.at;
  CHECK(read_u32(&reader) == 0 && reader.bad);
  /* Two bytes are there, but a field before them was missing. */
  CHECK(read_u8(&reader) == 0 && read_u16(&reader) == 0);
  CHECK(!read_done(&reader));
  free(start);
}

static void a_length_past_the_end_is_refused(void) {
  const unsigned char lengths[][4] = {{3, 0, 0, 0}, {0xff, 0xff, 0xff, 0x7f}, {0xff, 0xff, 0xff, 0xff}};
  for (size_t i = 0; i < COUNT_OF(lengths); i++) {
    unsigned char frame[6] = {0, 0, 0, 0, 'h', 'i'};
    memcpy(frame, lengths[i], 4);
    struct reader reader = reader_of(frame, sizeof frame);
    unsigned char *start = (unsigned char *)reader.at;
    struct bytes bytes = read_bytes(&reader);
    CHECK(reader.bad && bytes.length == 0 && !bytes.start);
    free(start);
  }
}

static void strings_end_and_fit(void) {
  const unsigned char with_nul[] = {2, 0, 0, 0, 'a', 0};
  const unsigned char plain[] = {2, 0, 0, 0, 'h', 'i'};
  const unsigned char empty[] = {0, 0, 0, 0};
  for (size_t room_size = 0; room_size <= 4; room_size++) {
    char *room = malloc(room_size ? room_size : 1), *at = room;
    struct reader reader = reader_of(plain, sizeof plain);
    unsigned char *start = (unsigned char *)reader.at;
    const char *text = read_string(&reader, &at, room + room_size);
    CHECK((text != NULL) == (room_size >= 3));
    CHECK(reader.bad == (room_size < 3));
    CHECK(at == (text ? room + 3 : room));
    free(room);
    free(start);
  }
  char room[8], *at = room;
  struct reader nul = reader_of(with_nul, sizeof with_nul);
  unsigned char *start = (unsigned char *)nul.at;
  CHECK(!read_string(&nul, &at, room + sizeof room) && nul.bad);
  free(start);
  struct reader none = reader_of(empty, sizeof empty);
  start = (unsigned char *)none.at;
  const char *text = read_string(&none, &at, room + sizeof room);
  CHECK(text && text[0] == 0 && read_done(&none));
  free(start);
}

static void a_full_writer_writes_nothing_more(void) {
  for (size_t size = 0; size < 15; size++) {
    unsigned char *buffer = malloc(size ? size : 1);
    struct writer writer = {buffer, buffer + size, false};
    write_u8(&writer, 1);
    write_u16(&writer, 2);
    write_u32(&writer, 3);
    write_u64(&writer, 4);
    CHECK(writer.full);
    unsigned char *stopped = writer.at;
    write_u8(&writer, 5);
    write_text(&writer, "more");
    CHECK(writer.at == stopped);
    free(buffer);
  }
}

int main(void) {
  every_kind_comes_back();
  every_cut_is_noticed();
  bad_stays_bad();
  a_length_past_the_end_is_refused();
  strings_end_and_fit();
  a_full_writer_writes_nothing_more();
  return CHECKED;
}
