/* The channel to the host: frames in, frames out. */
#ifndef PINFOLD_HOST_H
#define PINFOLD_HOST_H

#include "frames.h"
#include "../confine/steps.h"

#define HOST_SOCKET 3
#define FAILED_DETAIL_MAX 8000
#define FAILED_MAX (FAILED_DETAIL_MAX + 192)

long host_open(void);
/* Reads what is there and passes each frame on. False: the host is gone, or broke the protocol. */
bool host_readable(bool (*handle)(const struct frame *frame, const unsigned char *payload));
/* Writes what waits. False: the host is gone. */
bool host_flush(void);

/* Room for a frame of up to `room` bytes of payload; frames that are not data always fit. */
struct writer host_begin(size_t room);
void host_end(struct writer *writer, enum frame_kind kind, uint32_t run);
/* True while another chunk of a job's output may be read: a slow host slows its jobs, and costs no memory here. */
bool host_has_room(void);

void host_empty_frame(enum frame_kind kind, uint32_t run);
void host_number_frame(enum frame_kind kind, uint32_t run, uint32_t number);
/* `detail` is at most FAILED_DETAIL_MAX long. */
void host_failed(uint32_t run, const struct failure *failure, const char *detail);

#endif
