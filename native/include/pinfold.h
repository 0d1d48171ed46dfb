/*
 * The public face of the native library: what Node (through koffi) and the prescripts (through ctypes, N-API, JNI) call.
 * The library depends on no C library, so that one file loads under glibc and musl alike.
 */
#ifndef PINFOLD_H
#define PINFOLD_H

#include <stddef.h>

#define PINFOLD_EXPORT __attribute__((visibility("default")))

/* The package version that this library was built for. */
PINFOLD_EXPORT const char *pinfold_version(void);

/* In the host. */

/* Starts the supervisor at `path`. Gives its pid, and this side's end of the channel (non-blocking, close-on-exec) in
 * `socket_fd`; or -errno. Returns as soon as the supervisor's image is loaded. */
PINFOLD_EXPORT int pinfold_start(const char *path, int *socket_fd);

/* 1: that supervisor is reaped (or was never ours), 0: it has not ended yet. Never blocks. */
PINFOLD_EXPORT int pinfold_reap(int pid);

/* Removes the control groups of supervisors that are gone. Gives how many are left, since processes in them still end. */
PINFOLD_EXPORT int pinfold_sweep(void);

/* In an interpreter. None of these may release the interpreter's lock: the process forks inside them. */

/* Serves fork requests on descriptor `fd` (the zygote's control socket). Returns 0 in each new process, which is pid 1
 * of a job's pid namespace; anything else: the supervisor is gone, leave by _exit. */
PINFOLD_EXPORT int pinfold_zygote(int fd);

/* In a zygote that has loaded all it will: has the kernel put its memory into huge pages, where it can. */
PINFOLD_EXPORT void pinfold_collapse(void);

/* In each new process: not 0 where a run waits for it already, so that it need not prepare itself for one that is to come. */
PINFOLD_EXPORT int pinfold_is_awaited(void);

/* In pid 1, after the interpreter's own fork gave `pid`: reaps, reports how `pid` ended, never returns. */
PINFOLD_EXPORT void pinfold_init(int pid) __attribute__((noreturn));

/* In the job: completes enter, parks, reads the task and applies the limits. NULL: failed and reported, leave by _exit. */
PINFOLD_EXPORT const unsigned char *pinfold_receive(size_t *length);

/* In the job: installs the filter, reports the start, unmaps the task, closes every descriptor from 3 up.
 * Not 0: failed and reported, leave by _exit. */
PINFOLD_EXPORT int pinfold_seal(void);

#endif
