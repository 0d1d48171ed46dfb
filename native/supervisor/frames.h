/* The frames of docs/protocol.md. */
#ifndef PINFOLD_FRAMES_H
#define PINFOLD_FRAMES_H

#include "../base/wire.h"

#define PROTOCOL_VERSION 1
#define FRAME_HEADER 12
#define FRAME_DATA_MAX 65536
#define FRAME_LARGE_MAX (96u << 20)

enum frame_kind {
  FRAME_CONFIGURE = 1,
  FRAME_RUN,
  FRAME_STDIN,
  FRAME_STDIN_END,
  FRAME_SIGNAL,
  FRAME_ABORT,
  FRAME_ASK,
  FRAME_READY = 0x81,
  FRAME_FAILED,
  FRAME_STARTED,
  FRAME_STDOUT,
  FRAME_STDERR,
  FRAME_STDIN_CREDIT,
  FRAME_STDIN_CLOSED,
  FRAME_END,
  FRAME_ANSWER,
  FRAME_ZYGOTE_LOST,
};

enum reason {
  REASON_NONE,
  REASON_EXITED,
  REASON_SIGNALED,
  REASON_WALL,
  REASON_CPU,
  REASON_MEMORY,
  REASON_OUTPUT,
  REASON_DENIED,
  REASON_ABORTED,
};

struct frame {
  uint32_t length;
  uint8_t kind;
  uint32_t run;
};

/* False where no frame may look like this. */
bool frame_header(const unsigned char bytes[FRAME_HEADER], struct frame *frame);

#endif
