#include "listener.h"

#include <asm/errno.h>
#include <linux/mman.h>
#include <linux/ioctl.h>
#include <linux/uio.h>

#include "../confine/filter.h"

/* Written out, because the build machine's headers may be older. Linux 6.6: whoever waits for the answer is run at once, on
 * this processor: 10 µs a call instead of several hundred. */
#define SET_FLAGS _IOW('!', 4, uint64_t)
#define SYNC_WAKE_UP 1ul

static struct denial_table *table;

long listener_open(void) {
  long memory = SYS(mmap, 0, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, DENIALS_MEMORY, 0);
  if (memory < 0 && memory > -4096) return memory;
  table = (struct denial_table *)memory;
  return SYS(close, DENIALS_MEMORY);
}

int listener_take(void) {
  char byte;
  int listener = -1;
  long got = socket_receive(LISTENER_FROM_JOB, &byte, sizeof byte, &listener, 1, NULL, false);
  if (got == 1 && listener >= 0) SYS(ioctl, listener, SET_FLAGS, SYNC_WAKE_UP);
  return listener;
}

static const struct shown *find_shown(uint32_t number) {
  for (uint32_t i = 0; i < inside.shown_count; i++)
    if (inside.shown[i].number == number) return &inside.shown[i];
  return NULL;
}

static size_t text_size(const char *text, size_t length) {
  size_t size = 0;
  while (size < length && text[size]) size++;
  return size;
}

/* What another process's memory says may change at any time: it is told, and nothing is decided by it. A read that crosses
 * into a page which isn't there gives what lies before it. */
static void read_text(struct denial *call, const struct seccomp_notif *told, const struct shown *shown) {
  uint64_t length = sizeof call->text;
  if (shown->text_length && told->data.args[shown->text_length - 1] < length) length = told->data.args[shown->text_length - 1];
  struct iovec here = {call->text, length}, there = {(void *)told->data.args[shown->text - 1], length};
  long got = SYS(process_vm_readv, told->pid, &here, 1, &there, 1, 0);
  if (got <= 0) {
    const uint64_t page = 4096, left = page - ((uint64_t)there.iov_base & (page - 1));
    here.iov_len = there.iov_len = left < length ? left : length;
    got = left < length ? SYS(process_vm_readv, told->pid, &here, 1, &there, 1, 0) : 0;
  }
  size_t size = got > 0 ? (size_t)got : 0;
  call->text_length = (uint32_t)(shown->text_length ? size : text_size(call->text, size));
  memset(call->text + call->text_length, 0, sizeof call->text - call->text_length);
}

static void count(const struct seccomp_notif *told) {
  struct denial call = {.number = (uint32_t)told->data.nr};
  const struct shown *shown = denials_have_room(table) ? find_shown(call.number) : NULL;
  for (int i = 0; shown && i < DENIAL_ARGUMENTS; i++)
    if (shown->values & 1u << i) call.values[i] = told->data.args[i];
  if (shown && shown->text) read_text(&call, told, shown);
  denials_count(table, &call);
}

void listener_answer(int listener) {
  struct seccomp_notif told;
  memset(&told, 0, sizeof told); /* the kernel insists */
  if (SYS(ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &told) < 0) return; /* it was killed meanwhile */
  int error = filter_errno(inside.filter, inside.filter_count, &told.data);
  struct seccomp_notif_resp answer = {.id = told.id, .error = -(error ? error : EPERM)};
  count(&told);
  SYS(ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}
