#include "base.h"

struct text *text_add_bytes(struct text *text, const char *more, size_t length) {
  size_t room = text->capacity - text->length - 1;
  if (length > room) {
    length = room;
    text->cut = true;
  }
  memcpy(text->start + text->length, more, length);
  text->length += length;
  text->start[text->length] = 0;
  return text;
}

struct text *text_add(struct text *text, const char *more) { return text_add_bytes(text, more, strlen(more)); }

struct text *text_add_number(struct text *text, uint64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  do digits[--at] = (char)('0' + number % 10);
  while (number /= 10);
  return text_add_bytes(text, digits + at, sizeof digits - at);
}

bool text_equal(const char *left, const char *right) {
  size_t length = strlen(left);
  return length == strlen(right) && memcmp(left, right, length) == 0;
}

bool text_starts(const char *text, const char *prefix) {
  while (*prefix)
    if (*text++ != *prefix++) return false;
  return true;
}

bool text_number(const char **at, uint64_t *number) {
  const char *digit = *at;
  uint64_t value = 0;
  for (; *digit >= '0' && *digit <= '9'; digit++) {
    if (value > (UINT64_MAX / 2 - 9) / 10) return false;
    value = value * 10 + (uint64_t)(*digit - '0');
  }
  if (digit == *at) return false;
  *at = digit;
  *number = value;
  return true;
}

const char *text_next_line(const char *at) {
  while (*at && *at != '\n') at++;
  return *at ? at + 1 : at;
}
