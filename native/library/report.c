#include "inside.h"

struct inside inside;

void report(int socket, const struct message *message) { descriptor_write_all(socket, message, sizeof *message); }

void report_failure(int socket, const struct failure *failure) {
  report(socket, &(struct message){.kind = MESSAGE_FAILED, .failure = *failure});
}

void leave(int status) {
  for (;;) SYS(exit_group, status);
}
