/*
 * A policy as libseccomp would have it. Standard input is text, one statement a line; standard output the exported BPF.
 *
 *     arch x64|arm64                        first
 *     filter DEFAULT FOREIGN                what becomes of all that no rule names, and of other architectures
 *     rule ACTION NAME [ARGUMENT MASK VALUE]...
 *
 * Actions, masks and values are numbers as libseccomp takes them, in hexadecimal. Calls that this version of libseccomp
 * doesn't know are named on standard error, a line each.
 */
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPARISONS_MAX 6

static scmp_filter_ctx context;
static uint32_t arch;

static void must(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, strerror(-result));
  exit(1);
}

static void begin(uint32_t otherwise, uint32_t foreign) {
  context = seccomp_init(otherwise);
  if (!context) must(-1, "seccomp_init");
  must(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, foreign), "SCMP_FLTATR_ACT_BADARCH");
  if (seccomp_arch_native() == arch) return;
  must(seccomp_arch_add(context, arch), "seccomp_arch_add");
  must(seccomp_arch_remove(context, seccomp_arch_native()), "seccomp_arch_remove");
}

static int read_comparisons(char *text, struct scmp_arg_cmp *comparisons) {
  unsigned argument;
  unsigned long long mask, value;
  int count = 0, used = 0;
  for (; sscanf(text, " %u %llx %llx%n", &argument, &mask, &value, &used) == 3; text += used) {
    if (count == COMPARISONS_MAX) must(-1, "too many comparisons");
    comparisons[count++] = SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);
  }
  return count;
}

static void add_rule(uint32_t action, const char *name, char *rest) {
  struct scmp_arg_cmp comparisons[COMPARISONS_MAX];
  int count = read_comparisons(rest, comparisons);
  /* Negative where libseccomp knows the name, but not on that machine. */
  if (seccomp_syscall_resolve_name_arch(arch, name) < 0) {
    fprintf(stderr, "%s\n", name);
    return;
  }
  /* Rules are always said in the numbers of the machine that this runs on, and translated. */
  must(seccomp_rule_add_exact_array(context, action, seccomp_syscall_resolve_name(name), (unsigned)count, comparisons), name);
}

int main(void) {
  char line[1024], word[64];
  unsigned first, second;
  int used = 0;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "arch %63s", word) == 1) arch = strcmp(word, "x64") == 0 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
    else if (sscanf(line, "filter %x %x", &first, &second) == 2) begin(first, second);
    else if (sscanf(line, "rule %x %63s%n", &first, word, &used) == 2) add_rule(first, word, line + used);
    else must(-1, line);
  }
  must(seccomp_export_bpf(context, 1), "seccomp_export_bpf");
  return 0;
}
