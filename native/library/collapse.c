/* The memory that all jobs share, in as few pages as possible: what is forked and what ends is counted in pages. */
#include <linux/fcntl.h>

#include "../base/base.h"
#include "../include/pinfold.h"

/* Linux 6.1. Written out, because the build machine's headers may be older. */
#define COLLAPSE 25
#define HUGE_PAGE (2ul << 20)
#define MAPS_BYTES 262144

static const char *read_hex(const char *at, uintptr_t *number) {
  uintptr_t value = 0;
  for (;; at++) {
    if (*at >= '0' && *at <= '9') value = value << 4 | (uintptr_t)(*at - '0');
    else if (*at >= 'a' && *at <= 'f') value = value << 4 | (uintptr_t)(*at - 'a' + 10);
    else break;
  }
  *number = value;
  return at;
}

/* "START-END rw-p 00000000 00:00 0", with nothing behind it but perhaps [heap]: private memory that no file lies under. */
static void collapse_line(const char *line) {
  uintptr_t start, end;
  const char *at = read_hex(line, &start);
  if (*at++ != '-') return;
  at = read_hex(at, &end);
  if (!text_starts(at, " rw-p 00000000 00:00 0")) return;
  start = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  end &= ~(HUGE_PAGE - 1);
  for (; start < end; start += HUGE_PAGE) SYS(madvise, start, HUGE_PAGE, COLLAPSE);
}

void pinfold_collapse(void) {
  static char maps[MAPS_BYTES];
  if (file_read(AT_FDCWD, "/proc/self/maps", maps, sizeof maps) < 0) return;
  for (const char *line = maps; *line; line = text_next_line(line)) collapse_line(line);
}
