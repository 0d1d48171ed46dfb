/* What both the library and the supervisor stand on: memory, text, files, descriptors. */
#ifndef PINFOLD_BASE_H
#define PINFOLD_BASE_H

#include <stdbool.h>

#include "syscall.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);

/* A string under construction in a buffer of fixed size; always ends with a NUL, cuts what does not fit and says so. */
struct text {
  char *start;
  size_t length, capacity;
  bool cut;
};

#define TEXT(name, size)  \
  char name##_buffer[size]; \
  struct text name = {name##_buffer, 0, sizeof name##_buffer, false}; \
  name##_buffer[0] = 0

struct text *text_add(struct text *text, const char *more);
struct text *text_add_number(struct text *text, uint64_t number);
struct text *text_add_bytes(struct text *text, const char *more, size_t length);

bool text_equal(const char *left, const char *right);
bool text_starts(const char *text, const char *prefix);
/* The beginning of the next line, or the end. */
const char *text_next_line(const char *at);
/* Reads decimal digits at `*at` and moves past them; false where there is none, or the number passes 2^63. */
bool text_number(const char **at, uint64_t *number);

/* Each gives -errno, or what its name says. */
long file_read(int directory, const char *path, char *buffer, size_t capacity); /* length; the buffer ends with a NUL */
long file_write(int directory, const char *path, const char *content, size_t length);
long file_write_text(int directory, const char *path, const char *content);

/* What getdents64 gives. */
struct directory_entry {
  uint64_t inode, offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

/* Closes and empties. An owned descriptor is -1 when empty. */
void descriptor_close(int *fd);
/* Hands the descriptor over: the variable is empty afterwards. */
int descriptor_take(int *fd);

uint64_t clock_ns(void);     /* CLOCK_MONOTONIC */
uint64_t clock_cpu_ns(void); /* what this process has used of the processor */

#endif
