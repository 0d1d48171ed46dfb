/* Descriptors that travel with a message. unix(7), cmsg(3) */
#ifndef PINFOLD_DESCRIPTORS_H
#define PINFOLD_DESCRIPTORS_H

#include "../base/base.h"

#define DESCRIPTORS_MAX 6

/* Sending never waits: -EAGAIN where the socket is full. Each gives the bytes moved, 0 at the end of file, or -errno. `received` gets the kernel's word for the sender's pid. */
long socket_send(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);
long socket_receive(int socket, void *bytes, size_t capacity, int *fds, size_t fd_capacity, int *sender_pid, bool wait);
/* Reads or writes all of it, waiting; for trusted peers only. 0 or -errno. */
long descriptor_read_all(int fd, void *bytes, size_t length);
long descriptor_write_all(int fd, const void *bytes, size_t length);

#endif
