#include "loop.h"

#include <linux/fcntl.h>
#include <linux/eventpoll.h>

#define EVENTS_A_TURN 64
#define EPOLL_READ 0x001
#define EPOLL_WRITE 0x004

static int epoll;

long loop_open(void) {
  epoll = (int)SYS(epoll_create1, O_CLOEXEC);
  return epoll < 0 ? epoll : 0;
}

/* source: 8 bits, index: 24, generation: 32. */
static struct epoll_event event_for(enum source source, uint32_t index, uint32_t generation, unsigned interest) {
  uint32_t events = (interest & INTEREST_READ ? EPOLL_READ : 0) | (interest & INTEREST_WRITE ? EPOLL_WRITE : 0);
  return (struct epoll_event){events, (uint64_t)source << 56 | (uint64_t)(index & 0xffffff) << 32 | generation};
}

long loop_add(int fd, enum source source, uint32_t index, uint32_t generation, unsigned interest) {
  struct epoll_event event = event_for(source, index, generation, interest);
  return SYS(epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event);
}

void loop_change(int fd, enum source source, uint32_t index, uint32_t generation, unsigned interest) {
  struct epoll_event event = event_for(source, index, generation, interest);
  SYS(epoll_ctl, epoll, EPOLL_CTL_MOD, fd, &event);
}

void loop_remove(int fd) {
  struct epoll_event none = {0, 0};
  SYS(epoll_ctl, epoll, EPOLL_CTL_DEL, fd, &none);
}

static int timeout_ms(uint64_t deadline_ns) {
  if (!deadline_ns) return -1;
  uint64_t now = clock_ns();
  if (deadline_ns <= now) return 0;
  uint64_t ms = (deadline_ns - now + 999999) / 1000000;
  return ms > 3600000 ? 3600000 : (int)ms;
}

void loop_turn(uint64_t deadline_ns, void (*handle)(enum source, uint32_t, uint32_t, unsigned)) {
  struct epoll_event events[EVENTS_A_TURN];
  long count = SYS(epoll_pwait, epoll, events, EVENTS_A_TURN, timeout_ms(deadline_ns), 0, 8);
  for (long i = 0; i < count; i++) {
    uint64_t data = events[i].data;
    handle((enum source)(data >> 56), (uint32_t)(data >> 32) & 0xffffff, (uint32_t)data, events[i].events);
  }
}
