/* What the C tests share. Each is a program of its own: it names every check that does not hold, and ends with 1. */
#ifndef PINFOLD_TEST_CHECK_H
#define PINFOLD_TEST_CHECK_H

#include <stdio.h>

static int failed_checks;

#define CHECK(condition)                                                           \
  do                                                                               \
    if (!(condition)) {                                                            \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      failed_checks++;                                                             \
    }                                                                              \
  while (0)

#define CHECKED (failed_checks != 0)

#endif
