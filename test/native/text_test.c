/* Text in a buffer of fixed size, and numbers read from text. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "check.h"

static void text_is_cut_and_says_so(void) {
  for (size_t capacity = 1; capacity <= 16; capacity++) {
    char *buffer = malloc(capacity);
    buffer[0] = 0;
    struct text text = {buffer, 0, capacity, false};
    text_add_number(text_add(&text, "/proc/"), 18446744073709551615u);
    const char whole[] = "/proc/18446744073709551615";
    CHECK(text.length == capacity - 1);
    CHECK(strlen(buffer) == text.length);
    CHECK(strncmp(buffer, whole, text.length) == 0);
    CHECK(text.cut);
    free(buffer);
  }
}

static void text_that_fits_is_whole(void) {
  TEXT(path, 12);
  text_add(text_add_bytes(text_add_number(text_add(&path, "/proc/"), 0), "/fdinfo", 3), "s");
  CHECK(text_equal(path.start, "/proc/0/fds"));
  CHECK(!path.cut && path.length == 11);
  text_add(&path, "");
  CHECK(!path.cut);
  text_add(&path, "x");
  CHECK(path.cut && text_equal(path.start, "/proc/0/fds"));
}

static void texts_compare(void) {
  CHECK(text_equal("", "") && text_equal("same", "same"));
  CHECK(!text_equal("same", "sam") && !text_equal("sam", "same") && !text_equal("a", "b"));
  CHECK(text_starts("memory.peak", "memory.") && text_starts("memory", "memory") && text_starts("x", ""));
  CHECK(!text_starts("mem", "memory") && !text_starts("", "m"));
}

static void numbers_are_read_exactly(void) {
  static const struct {
    const char *text;
    bool good;
    uint64_t number;
    const char *rest;
  } cases[] = {
      {"0", true, 0, ""},
      {"007 ", true, 7, " "},
      {"4294967296\n", true, 4294967296u, "\n"},
      {"9223372036854775799", true, 9223372036854775799u, ""},
      {"9223372036854775808", false, 0, NULL},
      {"18446744073709551616", false, 0, NULL},
      {"99999999999999999999999", false, 0, NULL},
      {"max", false, 0, NULL},
      {"", false, 0, NULL},
      {"-1", false, 0, NULL},
      {" 1", false, 0, NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *at = cases[i].text;
    uint64_t number = 42;
    bool good = text_number(&at, &number);
    CHECK(good == cases[i].good);
    if (good) CHECK(number == cases[i].number && text_equal(at, cases[i].rest));
    /* Neither the number nor the place is touched where there is none. */
    if (!good) CHECK(number == 42 && at == cases[i].text);
  }
}

static void files_are_read_up_to_the_buffer(void) {
  char path[] = "/tmp/pinfold-text-test-XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0);
  CHECK(file_write_text(AT_FDCWD, path, "0123456789") == 0);
  char whole[11], cut[5];
  CHECK(file_read(AT_FDCWD, path, whole, sizeof whole) == 10 && text_equal(whole, "0123456789"));
  CHECK(file_read(AT_FDCWD, path, cut, sizeof cut) == 4 && text_equal(cut, "0123"));
  close(fd);
  unlink(path);
  CHECK(file_read(AT_FDCWD, path, cut, sizeof cut) == -2 /* ENOENT */);
  CHECK(file_write_text(AT_FDCWD, path, "x") == -2);
}

static void descriptors_have_one_owner(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int owner = fd;
  int other = descriptor_take(&owner);
  CHECK(other == fd && owner == -1);
  descriptor_close(&owner);
  CHECK(fcntl(fd, F_GETFD) >= 0);
  descriptor_close(&other);
  CHECK(other == -1 && fcntl(fd, F_GETFD) < 0);
}

static void time_goes_on(void) {
  uint64_t before = clock_ns();
  usleep(1000);
  uint64_t after = clock_ns();
  CHECK(before > 0 && after - before >= 1000000u && after - before < 10000000000u);
}

int main(void) {
  text_is_cut_and_says_so();
  text_that_fits_is_whole();
  texts_compare();
  numbers_are_read_exactly();
  files_are_read_up_to_the_buffer();
  descriptors_have_one_owner();
  time_goes_on();
  return CHECKED;
}
