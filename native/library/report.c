#include "inside.h"

struct inside inside;

void report(int socket, enum message_kind kind, int32_t value) {
  struct message message = {.kind = (uint32_t)kind, .value = value};
  descriptor_write_all(socket, &message, sizeof message);
}

void report_failure(int socket, const struct failure *failure) {
  struct message message = {.kind = MESSAGE_FAILED, .failure = *failure};
  descriptor_write_all(socket, &message, sizeof message);
}

void leave(int status) {
  for (;;) SYS(exit_group, status);
}
