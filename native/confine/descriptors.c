#include "descriptors.h"

#include <asm/errno.h>
#include <linux/socket.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct credentials {
  int32_t pid;
  uint32_t uid, gid;
};

#ifndef SCM_CREDENTIALS
#define SCM_CREDENTIALS 2
#endif

long socket_send(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count) {
  struct iovec part = {(void *)bytes, length};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd_count) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    control.header = (struct cmsghdr){CMSG_LEN(fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
  }
  long sent;
  do sent = SYS(sendmsg, socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent == -EINTR);
  return sent;
}

/* CMSG_NXTHDR without the C library's function for it; the kernel wrote these, whole and aligned. */
static struct cmsghdr *next_header(const struct msghdr *message, struct cmsghdr *header) {
  char *next = (char *)header + CMSG_ALIGN(header->cmsg_len);
  char *end = (char *)message->msg_control + message->msg_controllen;
  return next + sizeof *header <= end ? (struct cmsghdr *)next : NULL;
}

static void take_control(struct msghdr *message, int *fds, size_t fd_capacity, int *sender_pid) {
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = next_header(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    if (header->cmsg_type == SCM_RIGHTS) {
      for (size_t i = 0; i < size / sizeof(int); i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
        if (i < fd_capacity) fds[i] = fd;
        else SYS(close, fd);
      }
    } else if (header->cmsg_type == SCM_CREDENTIALS && sender_pid && size >= sizeof(struct credentials)) {
      struct credentials sender;
      memcpy(&sender, CMSG_DATA(header), sizeof sender);
      *sender_pid = sender.pid;
    }
  }
}

long socket_receive(int socket, void *bytes, size_t capacity, int *fds, size_t fd_capacity, int *sender_pid, bool wait) {
  struct iovec part = {bytes, capacity};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct credentials))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  for (size_t i = 0; i < fd_capacity; i++) fds[i] = -1;
  long got;
  do got = SYS(recvmsg, socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (got == -EINTR);
  if (got >= 0) take_control(&message, fds, fd_capacity, sender_pid);
  return got;
}

long descriptor_read_all(int fd, void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    long got = SYS(read, fd, (char *)bytes + done, length - done);
    if (got == -EINTR) continue;
    if (got <= 0) return got < 0 ? got : -EPIPE;
    done += (size_t)got;
  }
  return 0;
}

long descriptor_write_all(int fd, const void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    long put = SYS(sendto, fd, (const char *)bytes + done, length - done, MSG_NOSIGNAL, 0, 0);
    if (put == -EINTR) continue;
    if (put < 0) return put;
    done += (size_t)put;
  }
  return 0;
}
