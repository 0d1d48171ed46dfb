/* What the fuzzers share. Each is one libFuzzer program: it aborts where a check does not hold. */
#ifndef PINFOLD_FUZZ_H
#define PINFOLD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                             \
  do                                                                                 \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of exactly this size, so that the sanitizer sees the first byte past it. */
static inline void *exact_copy(const uint8_t *data, size_t size) {
  unsigned char *copy = malloc(size ? size : 1);
  if (size) memcpy(copy, data, size);
  return copy;
}

#endif
