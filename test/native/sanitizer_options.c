/* The supervisor starts with an empty environment, so the sanitizers get their options from here. A leak is no fault of a
 * process that ends with its work, and looking for one would need to trace it. */
#define OPTIONS "detect_leaks=0:abort_on_error=1:print_stacktrace=1:log_path=" SANITIZER_LOG

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void) { return OPTIONS; }
const char *__ubsan_default_options(void) { return OPTIONS; }
