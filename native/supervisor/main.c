/* Where the kernel, or for a sanitizer's build the C library, enters. */
#include "../base/base.h"

int supervisor_main(void);

#ifdef PINFOLD_HOSTED
int main(void) { return supervisor_main(); }
#else
__attribute__((used, noreturn)) static void enter(void) {
  int status = supervisor_main();
  for (;;) SYS(exit_group, status);
}

/* The stack is aligned as the ABI has it at entry; a call expects it to be off by one address. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall enter\n\thlt\n");
#else
__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tbl enter\n\tbrk 0\n");
#endif
#endif
