/* What a freestanding compiler may call by itself. A hosted build (the sanitizers') takes the C library's instead. */
#include "base.h"

#ifndef PINFOLD_HOSTED

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  unsigned char *t = to;
  const unsigned char *f = from;
#if defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(t), "+S"(f), "+c"(size) : : "memory");
#else
  while (size--) *t++ = *f++;
#endif
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  unsigned char *t = to;
  const unsigned char *f = from;
  if (t <= f || t >= f + size) return memcpy(to, from, size);
  while (size--) t[size] = f[size];
  return to;
}

void *memset(void *to, int byte, size_t size) {
  unsigned char *t = to;
#if defined(__x86_64__)
  __asm__ volatile("rep stosb" : "+D"(t), "+c"(size) : "a"(byte) : "memory");
#else
  while (size--) *t++ = (unsigned char)byte;
#endif
  return to;
}

int memcmp(const void *left, const void *right, size_t size) {
  const unsigned char *l = left, *r = right;
  for (; size--; l++, r++)
    if (*l != *r) return *l < *r ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

#endif
