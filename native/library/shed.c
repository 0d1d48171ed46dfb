#include "shed.h"

#include <asm/errno.h>

#include "../base/base.h"

#define PAGE 65536ul /* the largest page size there is */
#define STACK_BELOW (4 * PAGE)
#if defined(__x86_64__)
#define ADDRESSES_END 0x7ffffffff000ul
#define RESTART_SIGNATURE 0x53053053u
#else
#define ADDRESSES_END 0x1000000000000ul
#define RESTART_SIGNATURE 0xd428bc00u
#endif

/* Where glibc has told the kernel to write at each switch to this thread: rseq(2). Missing in other C libraries. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

#define RESTART_BYTES 32u
#define RESTART_BYTES_MAX 256u
#define RESTART_UNREGISTER 1

static long restart(void *area, uint32_t size, int flags) { return SYS(rseq, area, size, flags, RESTART_SIGNATURE); }

/* The kernel kills who has no memory any more where it is to write. That nobody is registered shows when one can be. */
static bool stop_restarts(void) {
  static unsigned char own[RESTART_BYTES] __attribute__((aligned(RESTART_BYTES)));
  for (uint32_t size = RESTART_BYTES; &__rseq_offset && size <= RESTART_BYTES_MAX; size += RESTART_BYTES)
    if (restart((char *)__builtin_thread_pointer() + __rseq_offset, size, RESTART_UNREGISTER) == 0) break;
  long result = restart(own, sizeof own, 0);
  return result == -ENOSYS || (result == 0 && restart(own, sizeof own, RESTART_UNREGISTER) == 0);
}

static void unmap(uintptr_t from, uintptr_t to) {
  if (from < to) SYS(munmap, from, to - from);
}

void shed_interpreter(void) {
  const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  const uintptr_t library = (uintptr_t)__ehdr_start & ~4095ul, library_end = ((uintptr_t)_end + PAGE - 1) & ~(PAGE - 1);
  const uintptr_t stack = (here & ~(PAGE - 1)) - STACK_BELOW, stack_end = (here & ~(PAGE - 1)) + 2 * PAGE;
  if (library_end > stack || !stop_restarts()) return;
  unmap(0, library);
  unmap(library_end, stack);
  /* Here lies what the kernel itself has mapped, which newer ones keep. */
  unmap(stack_end, ADDRESSES_END);
}
