#include "frames.h"

bool frame_header(const unsigned char bytes[FRAME_HEADER], struct frame *frame) {
  struct reader reader = {bytes, bytes + FRAME_HEADER, false};
  frame->length = read_u32(&reader);
  frame->kind = read_u8(&reader);
  uint32_t reserved = read_u8(&reader);
  reserved |= read_u16(&reader);
  frame->run = read_u32(&reader);
  bool large = frame->kind == FRAME_CONFIGURE || frame->kind == FRAME_RUN;
  bool known = frame->kind >= FRAME_CONFIGURE && frame->kind <= FRAME_ASK;
  return known && reserved == 0 && frame->length <= (large ? FRAME_LARGE_MAX : FRAME_DATA_MAX);
}
