#include "host.h"

#include <asm/errno.h>
#include <linux/mman.h>
#include <sys/socket.h>

#include "loop.h"

#define IN_BYTES 131072
#define OUT_BYTES (2u << 20)
#define OUT_RESERVE (1u << 20) /* for the frames that are not output */

/* Input: a buffer for small frames, and one of its own for a frame that doesn't fit. */
static unsigned char in[IN_BYTES];
static size_t in_length;
static unsigned char *large;
static size_t large_have;
static struct frame large_frame;

static unsigned char out[OUT_BYTES];
static size_t out_start, out_end;
static bool waiting; /* for the socket to take more */

long host_open(void) { return loop_add(HOST_SOCKET, SOURCE_HOST, 0, 0, INTEREST_READ); }

static bool begin_large(const struct frame *frame, const unsigned char *have, size_t have_length) {
  long room = SYS(mmap, 0, frame->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room < 0 && room > -4096) return false;
  large = (unsigned char *)room;
  large_frame = *frame;
  large_have = have_length;
  memcpy(large, have, have_length);
  return true;
}

static bool end_large(bool (*handle)(const struct frame *, const unsigned char *)) {
  unsigned char *payload = large;
  large = NULL;
  bool good = handle(&large_frame, payload);
  SYS(munmap, payload, large_frame.length);
  return good;
}

/* Passes on each whole frame of the buffer, and moves what is left to its beginning. */
static bool parse(bool (*handle)(const struct frame *, const unsigned char *)) {
  size_t at = 0;
  while (in_length - at >= FRAME_HEADER) {
    struct frame frame;
    if (!frame_header(in + at, &frame)) return false;
    size_t have = in_length - at - FRAME_HEADER;
    if (have >= frame.length) {
      if (!handle(&frame, in + at + FRAME_HEADER)) return false;
      at += FRAME_HEADER + frame.length;
      continue;
    }
    if (frame.length + FRAME_HEADER > IN_BYTES) {
      if (!begin_large(&frame, in + at + FRAME_HEADER, have)) return false;
      at = in_length;
    }
    break;
  }
  memmove(in, in + at, in_length - at);
  in_length -= at;
  return true;
}

bool host_readable(bool (*handle)(const struct frame *, const unsigned char *)) {
  unsigned char *to = large ? large + large_have : in + in_length;
  size_t room = large ? large_frame.length - large_have : IN_BYTES - in_length;
  long got = SYS(read, HOST_SOCKET, to, room);
  if (got == -EAGAIN || got == -EINTR) return true;
  if (got <= 0) return false;
  if (!large) {
    in_length += (size_t)got;
    return parse(handle);
  }
  large_have += (size_t)got;
  return large_have < large_frame.length || end_large(handle);
}

bool host_flush(void) {
  while (out_start < out_end) {
    long put = SYS(sendto, HOST_SOCKET, out + out_start, out_end - out_start, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
    if (put == -EINTR) continue;
    if (put == -EAGAIN) break;
    if (put < 0) return false;
    out_start += (size_t)put;
  }
  if (out_start == out_end) out_start = out_end = 0;
  bool wait = out_start < out_end;
  if (wait != waiting) loop_change(HOST_SOCKET, SOURCE_HOST, 0, 0, INTEREST_READ | (wait ? INTEREST_WRITE : 0));
  waiting = wait;
  return true;
}

bool host_has_room(void) { return OUT_BYTES - (out_end - out_start) >= OUT_RESERVE + FRAME_HEADER + FRAME_DATA_MAX; }

struct writer host_begin(size_t room) {
  if (OUT_BYTES - out_end < room + FRAME_HEADER) {
    memmove(out, out + out_start, out_end - out_start);
    out_end -= out_start;
    out_start = 0;
  }
  size_t left = OUT_BYTES - out_end;
  size_t size = left < room + FRAME_HEADER ? left : room + FRAME_HEADER;
  struct writer writer = {out + out_end, out + out_end + size, size < FRAME_HEADER};
  if (!writer.full) writer.at += FRAME_HEADER;
  return writer;
}

void host_end(struct writer *writer, enum frame_kind kind, uint32_t run) {
  if (writer->full) SYS(exit_group, 1); /* the reserve is larger than all such frames together: a fault of ours */
  uint32_t length = (uint32_t)(writer->at - (out + out_end) - FRAME_HEADER);
  struct writer header = {out + out_end, out + out_end + FRAME_HEADER, false};
  write_u32(&header, length);
  write_u32(&header, (uint32_t)kind);
  write_u32(&header, run);
  out_end += FRAME_HEADER + length;
}

void host_empty_frame(enum frame_kind kind, uint32_t run) {
  struct writer writer = host_begin(0);
  host_end(&writer, kind, run);
}

void host_number_frame(enum frame_kind kind, uint32_t run, uint32_t number) {
  struct writer writer = host_begin(4);
  write_u32(&writer, number);
  host_end(&writer, kind, run);
}

void host_failed(uint32_t run, const struct failure *failure, const char *detail) {
  struct writer writer = host_begin(FAILED_MAX);
  write_u32(&writer, failure->stage);
  write_u32(&writer, failure->step);
  write_u32(&writer, (uint32_t)failure->error);
  write_text(&writer, step_name(failure->step));
  write_text(&writer, detail);
  host_end(&writer, FRAME_FAILED, run);
}
