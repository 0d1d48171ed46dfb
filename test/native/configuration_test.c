/* CONFIGURE and ASK come from the host, which is trusted, yet a frame that is not well-formed may do no harm: cut short
 * at every length, and changed at random, under the sanitizers. */
#include "supervisor/configuration.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "supervisor/arena.h"

#define RANDOM_FRAMES 20000

static void strings(struct writer *writer, int count, const char *text) {
  write_u32(writer, (uint32_t)count);
  for (int i = 0; i < count; i++) write_text(writer, text);
}

static void entry(struct writer *writer, uint8_t kind, const char *path, const char *source, const char *content) {
  write_u8(writer, kind);
  write_u8(writer, 0);
  write_text(writer, path);
  write_text(writer, source);
  write_text(writer, content);
}

static size_t well_formed(unsigned char *buffer, size_t size) {
  struct writer writer = {buffer, buffer + size, false};
  const struct sock_filter allow = {6, 0, 0, 0x7fff0000};
  write_u32(&writer, PROTOCOL_VERSION);
  write_text(&writer, PINFOLD_VERSION);
  write_u32(&writer, CONFIGURATION_NETWORK);
  write_u32(&writer, 3);
  write_u64(&writer, 64 << 20);
  write_u32(&writer, 3);
  entry(&writer, VIEW_READ_ONLY, "/usr/lib", "/usr/lib", "");
  entry(&writer, VIEW_WRITABLE, "/data", "/srv/data", "");
  entry(&writer, VIEW_FILE, "/etc/passwd", "", "root:x:0:0::/:/bin/sh\n");
  write_text(&writer, "/usr/bin/python3");
  strings(&writer, 2, "python3");
  strings(&writer, 1, "LANG=C.UTF-8");
  write_bytes(&writer, &allow, sizeof allow);
  write_u32(&writer, 1);
  write_u32(&writer, 42);
  write_u8(&writer, 3);
  write_u8(&writer, 2);
  write_u8(&writer, DENIAL_ARGUMENTS);
  CHECK(!writer.full);
  return (size_t)(writer.at - buffer);
}

/* From a copy of exactly this size, so that the sanitizer sees the first byte past it. */
static long decode(const unsigned char *bytes, size_t length, struct configuration *configuration) {
  unsigned char *copy = malloc(length ? length : 1);
  memcpy(copy, bytes, length);
  memset(configuration, 0, sizeof *configuration);
  long result = configuration_read(configuration, copy, length);
  free(copy);
  return result;
}

static void comes_back_whole(const unsigned char *frame, size_t length) {
  static struct configuration got;
  CHECK(decode(frame, length, &got) == 0);
  CHECK(got.flags == CONFIGURATION_NETWORK && got.warm == 3 && got.scratch_bytes == 64 << 20);
  CHECK(got.view_count == 3 && strcmp(got.view[0].path, "/usr/lib") == 0 && got.view[1].kind == VIEW_WRITABLE);
  CHECK(got.view[2].content_length == 22 && memcmp(got.view[2].content, "root:", 5) == 0);
  CHECK(strcmp(got.executable, "/usr/bin/python3") == 0);
  CHECK(strcmp(got.argv[1], "python3") == 0 && got.argv[2] == NULL && strcmp(got.env[0], "LANG=C.UTF-8") == 0);
  CHECK(got.filter_count == 1 && got.filter[0].k == 0x7fff0000);
  CHECK(got.shown_count == 1 && got.shown[0].number == 42 && got.shown[0].values == 3 && got.shown[0].text == 2);
  CHECK(got.shown[0].text_length == DENIAL_ARGUMENTS);
  CHECK(got.writable_bytes == 6 && strcmp(got.writable, "/data") == 0);
}

static void every_cut_is_refused(const unsigned char *frame, size_t length) {
  static struct configuration got;
  for (size_t cut = 0; cut < length; cut++) CHECK(decode(frame, cut, &got) < 0);
}

static void random_changes_do_no_harm(const unsigned char *frame, size_t length) {
  static struct configuration got;
  unsigned char *changed = malloc(length);
  srand(1);
  for (int i = 0; i < RANDOM_FRAMES; i++) {
    memcpy(changed, frame, length);
    for (int changes = rand() % 6 + 1; changes > 0; changes--)
      changed[(size_t)rand() % length] = rand() % 4 ? (unsigned char)rand() : 0xff;
    if (decode(changed, length, &got) < 0) continue;
    for (size_t j = 0; j < got.view_count; j++) CHECK(got.view[j].path[0] == '/');
    CHECK(got.filter_count <= FILTER_MAX && got.writable_bytes <= WRITABLE_MAX && got.warm <= WARM_MAX);
    CHECK(got.shown_count <= SHOWN_MAX);
    for (size_t j = 0; j < got.shown_count; j++)
      CHECK(got.shown[j].text <= DENIAL_ARGUMENTS && got.shown[j].text_length <= DENIAL_ARGUMENTS);
  }
  free(changed);
}

static void headers(void) {
  struct frame frame;
  CHECK(frame_header((const unsigned char[]){1, 2, 3, 0, FRAME_RUN, 0, 0, 0, 7, 0, 0, 0}, &frame));
  CHECK(frame.length == 0x30201 && frame.kind == FRAME_RUN && frame.run == 7);
  CHECK(!frame_header((const unsigned char[]){0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0}, &frame));
  CHECK(!frame_header((const unsigned char[]){0, 0, 0, 0, FRAME_READY, 0, 0, 0, 7, 0, 0, 0}, &frame));
  CHECK(!frame_header((const unsigned char[]){0, 0, 0, 0, FRAME_RUN, 1, 0, 0, 7, 0, 0, 0}, &frame));
  CHECK(!frame_header((const unsigned char[]){1, 0, 1, 0, FRAME_STDIN, 0, 0, 0, 7, 0, 0, 0}, &frame));
  CHECK(!frame_header((const unsigned char[]){0xff, 0xff, 0xff, 0xff, FRAME_RUN, 0, 0, 0, 7, 0, 0, 0}, &frame));
}

int main(void) {
  unsigned char frame[1024];
  size_t length = well_formed(frame, sizeof frame);
  headers();
  comes_back_whole(frame, length);
  every_cut_is_refused(frame, length);
  random_changes_do_no_harm(frame, length);
  return CHECKED;
}
