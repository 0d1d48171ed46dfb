/* A job's stdin, stdout and stderr: pipes, whose other ends are here. */
#include "job_streams.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "host.h"
#include "job_kill.h"
#include "loop.h"
#include "zygote.h"

static const enum source output_source[] = {SOURCE_JOB_STDOUT, SOURCE_JOB_STDERR};
static const enum frame_kind output_frame[] = {FRAME_STDOUT, FRAME_STDERR};

/* A job whose id isn't ours could not open /dev/stdout again: that asks the pipe's owner. */
static long give_to_job(int fd) {
  return zygote.ids.separate ? SYS(fchown, fd, zygote.ids.job, zygote.ids.job) : 0;
}

static long open_pipe(int *ours, int *theirs, int our_end) {
  int ends[2];
  long result = SYS(pipe2, ends, O_CLOEXEC);
  if (result < 0) return result;
  *ours = ends[our_end];
  *theirs = ends[1 - our_end];
  result = SYS(fcntl, *ours, F_SETFL, O_NONBLOCK);
  return result < 0 ? result : give_to_job(*theirs);
}

long streams_open(struct job *job, int child[3]) {
  long result = open_pipe(&job->input.fd, &child[0], 1);
  for (int i = 0; i < 2 && result == 0; i++) {
    result = open_pipe(&job->output[i].fd, &child[1 + i], 0);
    if (result == 0)
      result = loop_add(job->output[i].fd, output_source[i], job_index(job), job->generation, INTEREST_READ);
  }
  return result;
}

void streams_begin(struct job *job) {
  if (!job->limits.stdin_streamed) {
    descriptor_close(&job->input.fd);
    return;
  }
  job->input.granted = STDIN_WINDOW;
  host_number_frame(FRAME_STDIN_CREDIT, job->run, STDIN_WINDOW);
}

/* --- output --- */

/* What is past the limit is read and dropped, so that the job goes on, or is its end. */
static bool discard(struct job *job, struct stream *stream) {
  static unsigned char nowhere[FRAME_DATA_MAX];
  long got = SYS(read, stream->fd, nowhere, sizeof nowhere);
  if (got == -EAGAIN || got == -EINTR) return false;
  if (got <= 0) {
    descriptor_close(&stream->fd);
    return false;
  }
  stream->truncated = true;
  if (job->limits.kill_on_output_limit) job_kill(job, REASON_OUTPUT);
  return true;
}

static bool forward(struct job *job, struct stream *stream, enum frame_kind kind, size_t room) {
  struct writer writer = host_begin(room);
  long got = SYS(read, stream->fd, writer.at, room);
  if (got == -EAGAIN || got == -EINTR) return false;
  if (got <= 0) {
    descriptor_close(&stream->fd);
    return false;
  }
  stream->bytes += (uint64_t)got;
  writer.at += got;
  host_end(&writer, kind, job->run);
  return true;
}

/* True where something was read. */
static bool read_output(struct job *job, int which) {
  struct stream *stream = &job->output[which];
  if (stream->fd < 0 || stream->paused) return false;
  uint64_t left = job->limits.output_bytes - stream->bytes;
  if (job->run && left == 0) return discard(job, stream);
  if (job->run && host_has_room())
    return forward(job, stream, output_frame[which], left < FRAME_DATA_MAX ? left : FRAME_DATA_MAX);
  stream->paused = true; /* the host is slow, or this is a spare, which says nothing before it has a run */
  loop_remove(stream->fd);
  return false;
}

void output_ready(struct job *job, int which) { read_output(job, which); }

void output_drain(struct job *job) {
  for (int i = 0; i < 2; i++) {
    while (read_output(job, i)) continue;
    /* Nobody can write any more: what hasn't come now won't come. */
    if (!job->output[i].paused) descriptor_close(&job->output[i].fd);
  }
}

void outputs_resume(void) {
  for (uint32_t i = 0; i < jobs_used && host_has_room(); i++) {
    struct job *job = &jobs[i];
    for (int which = 0; which < 2; which++) {
      if (job->state == JOB_FREE || !job->run || !job->output[which].paused) continue;
      job->output[which].paused = false;
      loop_add(job->output[which].fd, output_source[which], i, job->generation, INTEREST_READ);
    }
  }
}

/* --- input --- */

static void close_input(struct job *job) {
  descriptor_close(&job->input.fd);
  job->input.length = 0;
  if (!job->input.ended) host_empty_frame(FRAME_STDIN_CLOSED, job->run);
  job->input.ended = true;
}

/* How many bytes the pipe took; closes it where the job reads no more. */
static size_t put(struct job *job, const unsigned char *bytes, size_t length) {
  size_t done = 0;
  while (job->input.fd >= 0 && done < length) {
    long result = SYS(write, job->input.fd, bytes + done, length - done);
    if (result == -EINTR) continue;
    if (result == -EAGAIN) break;
    if (result < 0) close_input(job);
    else done += (size_t)result;
  }
  return done;
}

static void watch_input(struct job *job) {
  struct input *input = &job->input;
  bool wanted = input->fd >= 0 && input->length > 0;
  if (wanted && !input->watched) loop_add(input->fd, SOURCE_JOB_STDIN, job_index(job), job->generation, INTEREST_WRITE);
  if (!wanted && input->watched && input->fd >= 0) loop_remove(input->fd);
  input->watched = wanted;
}

static void grant(struct job *job, size_t bytes) {
  if (!bytes || job->input.fd < 0 || job->input.ended) return;
  job->input.granted += (uint32_t)bytes;
  host_number_frame(FRAME_STDIN_CREDIT, job->run, (uint32_t)bytes);
}

bool input_write(struct job *job, const unsigned char *bytes, size_t length) {
  struct input *input = &job->input;
  if (input->ended) return true; /* closed meanwhile: the host doesn't know yet */
  if (length > input->granted) return false;
  input->granted -= (uint32_t)length;
  size_t done = input->length ? 0 : put(job, bytes, length);
  grant(job, done);
  if (input->fd < 0 || done == length) return true;
  if (!input->buffer) {
    long room = SYS(mmap, 0, STDIN_WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room < 0 && room > -4096) return false;
    input->buffer = (unsigned char *)room;
  }
  /* Never more than was granted, and so never more than the window. */
  memmove(input->buffer, input->buffer + input->start, input->length);
  input->start = 0;
  memcpy(input->buffer + input->length, bytes + done, length - done);
  input->length += length - done;
  watch_input(job);
  return true;
}

void input_end(struct job *job) {
  job->input.ended = true;
  if (job->input.length == 0) descriptor_close(&job->input.fd);
}

void input_ready(struct job *job) {
  struct input *input = &job->input;
  size_t done = put(job, input->buffer + input->start, input->length);
  if (input->fd < 0) return;
  input->start += done;
  input->length -= done;
  grant(job, done);
  if (input->ended && input->length == 0) descriptor_close(&input->fd);
  watch_input(job);
}
