/*
 * One measurement, with the filter in a file or, for "-", without:
 *
 *     filter-cost FILTER getpid|stat|read|compute ROUNDS   prints the nanoseconds that one round took
 *     filter-cost FILTER -- PROGRAM ARGUMENT...            becomes the program
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void install(const char *path) {
  static struct sock_filter instructions[4096];
  struct sock_fprog program = {0, instructions};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) exit(1);
  if (strcmp(path, "-") == 0) return;
  FILE *file = fopen(path, "rb");
  if (!file) exit(1);
  program.len = (unsigned short)fread(instructions, sizeof *instructions, 4096, file);
  fclose(file);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) exit(1);
}

static void one_getpid(void) { syscall(SYS_getpid); }

static void one_stat(void) {
  struct stat about;
  if (stat("/etc/passwd", &about) != 0) exit(1);
}

static void one_read(void) {
  char bytes[64];
  int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  if (read(fd, bytes, sizeof bytes) < 0) exit(1);
  close(fd);
}

static void one_computation(void) {
  static volatile double sum;
  for (int i = 1; i < 200; i++) sum = sum * 0.5 + 1.0 / i;
}

static const struct {
  const char *name;
  void (*round)(void);
} workloads[] = {{"getpid", one_getpid}, {"stat", one_stat}, {"read", one_read}, {"compute", one_computation}};

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int measure(const char *name, long rounds) {
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
    if (strcmp(workloads[i].name, name) != 0) continue;
    for (long warm_up = 0; warm_up < rounds / 10; warm_up++) workloads[i].round();
    double started = now_ns();
    for (long round = 0; round < rounds; round++) workloads[i].round();
    printf("%.3f\n", (now_ns() - started) / (double)rounds);
    return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  install(argv[1]);
  if (strcmp(argv[2], "--") != 0) return measure(argv[2], atol(argv[3]));
  execvp(argv[3], argv + 3);
  return 127;
}
