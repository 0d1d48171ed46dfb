#include "denials.h"

static bool same(const struct denial *left, const struct denial *right) {
  return left->number == right->number && left->text_length == right->text_length &&
         memcmp(left->values, right->values, sizeof left->values) == 0 &&
         memcmp(left->text, right->text, left->text_length) == 0;
}

void denials_count(struct denial_table *table, const struct denial *call) {
  for (uint32_t i = 0; i < table->used; i++) {
    if (!same(&table->denials[i], call)) continue;
    table->denials[i].count++;
    return;
  }
  if (!denials_have_room(table)) {
    table->by_number[call->number < DENIAL_NUMBERS ? call->number : DENIAL_NUMBERS]++;
    return;
  }
  table->denials[table->used] = *call;
  table->denials[table->used].count = 1;
  table->used++;
}

bool denials_have_room(const struct denial_table *table) { return table->used < DENIALS_MAX; }

/* What is counted by number came after the first ones. */
bool denials_any(const struct denial_table *table) { return table->used > 0; }

void denials_clear(struct denial_table *table) {
  if (denials_any(table)) memset(table, 0, sizeof *table);
}
