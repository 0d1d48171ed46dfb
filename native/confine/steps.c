#include "steps.h"

static const char *const names[] = {
#define STEP_NAME(id, name) name,
    STEPS(STEP_NAME)
#undef STEP_NAME
};

const char *step_name(uint32_t id) { return id < STEP_COUNT ? names[id] : "unknown"; }

long steps_run(const struct step *steps, size_t count, enum stage stage, void *context, struct failure *failure) {
  for (size_t i = 0; i < count; i++) {
    long result = steps[i].run(context, failure);
    if (result < 0) {
      failure->stage = (uint32_t)stage;
      failure->step = (uint32_t)steps[i].id;
      failure->error = (int32_t)-result;
      return result;
    }
  }
  return 0;
}

long failure_at(struct failure *failure, const char *path, long error) {
  if (error < 0 && !failure->detail[0]) {
    struct text text = {failure->detail, 0, sizeof failure->detail, false};
    text_add(&text, path);
  }
  return error;
}

bool failure_is_sound(const struct failure *failure) {
  return failure->stage >= STAGE_SUPERVISOR && failure->stage <= STAGE_RESOURCES && failure->step < STEP_COUNT &&
         failure->detail[sizeof failure->detail - 1] == 0;
}
