/*
 * The calls that a job was refused, as its pid 1 counted them: one table a job, in memory that pid 1 shares with the
 * supervisor, so that it is there however the job ends. The job never has it.
 */
#ifndef PINFOLD_DENIALS_H
#define PINFOLD_DENIALS_H

#include "../base/base.h"

#define DENIAL_ARGUMENTS 6
#define DENIAL_TEXT 96
/* Told one by one with their arguments; what comes when these are full is counted by its number alone. */
#define DENIALS_MAX 40
#define DENIAL_NUMBERS 512

/* Of which arguments a call's denials are told apart. */
struct shown {
  uint32_t number;
  uint8_t values;      /* a bit for each argument whose value counts */
  uint8_t text;        /* 1 + the argument that points to text; 0: none does */
  uint8_t text_length; /* 1 + the argument with the text's length; 0: it ends with a NUL */
  uint8_t reserved;
};

#define SHOWN_MAX 128

struct denial {
  uint32_t number;
  uint32_t text_length;
  uint64_t count;
  uint64_t values[DENIAL_ARGUMENTS]; /* 0 where the value doesn't count */
  char text[DENIAL_TEXT];
};

struct denial_table {
  uint32_t used;
  uint32_t reserved;
  struct denial denials[DENIALS_MAX];
  uint64_t by_number[DENIAL_NUMBERS + 1]; /* the last: of all numbers from DENIAL_NUMBERS up */
};

/* Counts one. `call` has the number, arguments and text of which it is told apart; its count is not looked at. */
void denials_count(struct denial_table *table, const struct denial *call);
/* True while another one could still be told with its arguments. */
bool denials_have_room(const struct denial_table *table);
bool denials_any(const struct denial_table *table);
void denials_clear(struct denial_table *table);

#endif
