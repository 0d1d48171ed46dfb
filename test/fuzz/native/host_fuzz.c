/*
 * The host's frames, as they arrive: a stream in chunks of any size. However it is cut, the same frames come out, up to the
 * first that may not be. The first byte of an input says how it is cut, the rest is the stream.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "supervisor/host.c"

int LLVMFuzzerInitialize(int *argc, char ***argv);

static int far_end;

struct seen {
  size_t frames, payload_bytes;
  uint64_t hash;
};
static struct seen heard;

static void note(struct seen *seen, const struct frame *frame, const unsigned char *payload) {
  const unsigned char head[] = {frame->kind, (unsigned char)frame->run, (unsigned char)(frame->run >> 24)};
  for (size_t i = 0; i < sizeof head; i++) seen->hash = (seen->hash ^ head[i]) * 1099511628211u;
  for (size_t i = 0; i < frame->length; i++) seen->hash = (seen->hash ^ payload[i]) * 1099511628211u;
  seen->frames++;
  seen->payload_bytes += frame->length;
}

static bool hear(const struct frame *frame, const unsigned char *payload) {
  note(&heard, frame, payload);
  return true;
}

/* The whole stream at once; false where it holds a frame that may not be. */
static bool expect(const unsigned char *stream, size_t length, struct seen *seen) {
  for (size_t at = 0; length - at >= FRAME_HEADER;) {
    struct frame frame;
    if (!frame_header(stream + at, &frame)) return false;
    CHECK(frame.length <= FRAME_LARGE_MAX && frame.kind >= FRAME_CONFIGURE && frame.kind <= FRAME_ASK);
    if (frame.length > length - at - FRAME_HEADER) break;
    note(seen, &frame, stream + at + FRAME_HEADER);
    at += FRAME_HEADER + frame.length;
  }
  return true;
}

static size_t waiting_bytes(void) {
  int bytes = 0;
  ioctl(HOST_SOCKET, FIONREAD, &bytes);
  return (size_t)bytes;
}

static bool deliver(const unsigned char *stream, size_t length, unsigned cut) {
  uint32_t random = cut * 2654435761u + 1;
  /* Of a long stream larger ones, or it would take a second. */
  size_t largest = (1u << (4 + cut % 12)) + length / 64;
  for (size_t at = 0; at < length;) {
    random = random * 1664525u + 1013904223u;
    size_t size = 1 + (random >> 8) % largest;
    if (size > length - at) size = length - at;
    CHECK(write(far_end, stream + at, size) == (ssize_t)size);
    at += size;
    while (waiting_bytes())
      if (!host_readable(hear)) return false;
  }
  return true;
}

static void reset(void) {
  unsigned char rest[4096];
  while (read(HOST_SOCKET, rest, sizeof rest) > 0) continue;
  if (large) munmap(large, large_frame.length);
  large = NULL;
  in_length = 0;
  heard = (struct seen){0, 0, 0};
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  far_end = fcntl(pair[1], F_DUPFD, 10);
  CHECK(far_end >= 0 && dup2(pair[0], HOST_SOCKET) == HOST_SOCKET);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  unsigned char *stream = exact_copy(data + 1, size - 1);
  struct seen expected = {0, 0, 0};
  bool good = expect(stream, size - 1, &expected);
  CHECK(deliver(stream, size - 1, data[0]) == good);
  CHECK(heard.frames == expected.frames && heard.payload_bytes == expected.payload_bytes && heard.hash == expected.hash);
  reset();
  free(stream);
  return 0;
}
