/* The table of refused calls, and what the filter says of a call when pid 1 asks it. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "confine/denials.h"
#include "confine/filter.h"

static struct denial call(uint32_t number, uint64_t value, const char *text) {
  struct denial denial = {.number = number, .values = {value}, .text_length = (uint32_t)strlen(text)};
  memcpy(denial.text, text, strlen(text));
  return denial;
}

static void the_same_call_is_one_entry(void) {
  static struct denial_table table;
  struct denial one = call(41, 2, "a"), other = call(41, 2, "b"), third = call(41, 3, "a");
  for (int i = 0; i < 1000; i++) denials_count(&table, &one);
  denials_count(&table, &other);
  denials_count(&table, &third);
  CHECK(table.used == 3 && table.denials[0].count == 1000 && table.denials[1].count == 1 && table.denials[2].count == 1);
  denials_clear(&table);
  CHECK(!denials_any(&table) && table.denials[0].count == 0);
}

static void a_flood_is_counted_by_number(void) {
  static struct denial_table table;
  for (uint64_t i = 0; i < 100000; i++) {
    struct denial denial = call(i % 2 ? 41 : 0xfffffff0, i, "");
    denials_count(&table, &denial);
  }
  uint64_t sum = table.by_number[41] + table.by_number[DENIAL_NUMBERS];
  CHECK(table.used == DENIALS_MAX && !denials_have_room(&table));
  for (uint32_t i = 0; i < table.used; i++) sum += table.denials[i].count;
  CHECK(sum == 100000);
  denials_clear(&table);
  CHECK(table.by_number[41] == 0);
}

static void the_filter_is_asked(void) {
  const struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 50, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF | ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 41, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x10, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
  };
  const unsigned count = sizeof program / sizeof *program;
  struct seccomp_data data = {.nr = 60};
  CHECK(filter_errno(program, count, &data) == ENOSYS);
  data.nr = 3;
  CHECK(filter_errno(program, count, &data) == 0);
  data.nr = 41;
  data.args[0] = 0xffff000000000013;
  CHECK(filter_errno(program, count, &data) == EPERM);
  data.args[0] = 0x20; /* errno 0 would be success */
  CHECK(filter_errno(program, count, &data) == EPERM);
}

static void a_broken_filter_refuses(void) {
  struct seccomp_data data = {.nr = 1};
  const struct sock_filter past_the_end[] = {BPF_STMT(BPF_JMP | BPF_JA, 7)};
  const struct sock_filter unknown[] = {BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_filter far_away[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4096), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 5)};
  CHECK(filter_errno(past_the_end, 1, &data) == EPERM);
  CHECK(filter_errno(unknown, 2, &data) == EPERM);
  CHECK(filter_errno(far_away, 2, &data) == 5);
  CHECK(filter_errno(unknown, 0, &data) == EPERM);
}

int main(void) {
  the_same_call_is_one_entry();
  a_flood_is_counted_by_number();
  the_filter_is_asked();
  a_broken_filter_refuses();
  return CHECKED;
}
