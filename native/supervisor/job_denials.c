#include "job_denials.h"

#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>

/* One for each place in the table of jobs, kept when the job is gone: no process that could write to it outlives its job. */
static struct memory {
  int fd;
  struct denial_table *table; /* NULL: not made yet */
} memories[JOBS_MAX];

static struct denial_table *table_of(const struct job *job) { return memories[job_index(job)].table; }

/* Sealed, so that nobody can cut it short below the supervisor's feet. */
static long make(struct memory *memory) {
  long fd = SYS(memfd_create, "pinfold-denials", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fd;
  long result = SYS(ftruncate, fd, sizeof *memory->table);
  if (result == 0) result = SYS(fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  if (result == 0) result = SYS(mmap, 0, sizeof *memory->table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (result < 0 && result > -4096) {
    SYS(close, fd);
    return result;
  }
  memory->fd = (int)fd;
  memory->table = (struct denial_table *)result;
  return 0;
}

int job_denials_open(const struct job *job) {
  struct memory *memory = &memories[job_index(job)];
  long result = memory->table ? 0 : make(memory);
  if (result < 0) return (int)result;
  denials_clear(memory->table);
  return memory->fd;
}

void job_denials_clear(const struct job *job) {
  if (table_of(job)) denials_clear(table_of(job));
}

bool job_denials_any(const struct job *job) { return table_of(job) && denials_any(table_of(job)); }

static void write_one(struct writer *writer, uint32_t number, uint64_t count, const struct denial *denial) {
  uint32_t length = denial ? denial->text_length : 0;
  write_u32(writer, number);
  write_u64(writer, count);
  write_u32(writer, denial ? DENIAL_ARGUMENTS : 0);
  for (int i = 0; denial && i < DENIAL_ARGUMENTS; i++) write_u64(writer, denial->values[i]);
  write_bytes(writer, denial ? denial->text : "", length < DENIAL_TEXT ? length : DENIAL_TEXT);
}

/* Pid 1 may be gone or not, so nothing that is counted here is looked at twice. */
void job_denials_write(const struct job *job, struct writer *writer) {
  const struct denial_table *table = table_of(job);
  struct writer count = *writer;
  uint32_t listed = 0, used = table ? table->used : 0;
  write_u32(writer, 0);
  for (uint32_t i = 0; i < used && i < DENIALS_MAX; i++, listed++)
    write_one(writer, table->denials[i].number, table->denials[i].count, &table->denials[i]);
  for (uint32_t number = 0; used >= DENIALS_MAX && number <= DENIAL_NUMBERS; number++) {
    uint64_t more = table->by_number[number];
    if (!more) continue;
    write_one(writer, number < DENIAL_NUMBERS ? number : UINT32_MAX, more, NULL);
    listed++;
  }
  write_u32(&count, listed);
}
