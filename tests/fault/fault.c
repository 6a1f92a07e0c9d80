/* Preloaded into a program under test: counts its calls that change files, and at the Nth kills the process or lets the
 * disk be full.
 *
 *   LD_PRELOAD=libisoveil_fault.so FAULT_KILL_AT=17 isoveil encrypt ...
 *   FAULT_ENOSPC_AT=N     the Nth and all later calls that need space fail with ENOSPC
 *   FAULT_TRUNCATE_AT=N   at the Nth call the file FAULT_TRUNCATE_FILE is cut to one page
 *   FAULT_COUNT_FILE=F    the number of calls is written to F at exit
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static long setting(const char* name) {
  const char* text = getenv(name);
  return text == NULL ? 0 : atol(text);
}

/* Returns nonzero if the call must fail for want of space. */
static int count(int needs_space) {
  const long n = atomic_fetch_add(&calls, 1) + 1;
  if (n == setting("FAULT_KILL_AT")) kill(getpid(), SIGKILL);
  if (n == setting("FAULT_TRUNCATE_AT") && truncate(getenv("FAULT_TRUNCATE_FILE"), 4096) != 0) abort();
  const long full = setting("FAULT_ENOSPC_AT");
  return needs_space && full > 0 && n >= full;
}

__attribute__((destructor)) static void report(void) {
  const char* path = getenv("FAULT_COUNT_FILE");
  if (path == NULL) return;
  FILE* file = fopen(path, "w");
  if (file != NULL) {
    fprintf(file, "%ld\n", atomic_load(&calls));
    fclose(file);
  }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FULL(value)  \
  do {               \
    errno = ENOSPC;  \
    return (value);  \
  } while (0)

static int creates(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }
static int is_standard(int fd) { return fd <= 2; }

ssize_t write(int fd, const void* data, size_t size) {
  if (!is_standard(fd) && count(1)) FULL(-1);
  return REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (count(1)) FULL(-1);
  return REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  if (count(1)) FULL(-1);
  return REAL(pwrite64)(fd, data, size, offset);
}

int fsync(int fd) {
  count(0);
  return REAL(fsync)(fd);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
  if (count(1)) return ENOSPC;
  return REAL(posix_fallocate)(fd, offset, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
  if (count(1)) return ENOSPC;
  return REAL(posix_fallocate64)(fd, offset, size);
}

int mkdir(const char* path, mode_t mode) {
  if (count(1)) FULL(-1);
  return REAL(mkdir)(path, mode);
}

int rename(const char* from, const char* to) {
  count(0);
  return REAL(rename)(from, to);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  if (count(1)) FULL(-1);
  return REAL(linkat)(from_folder, from, to_folder, to, flags);
}

int unlink(const char* path) {
  count(0);
  return REAL(unlink)(path);
}

int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = va_arg(args, mode_t);
  va_end(args);
  if (creates(flags) && count(1)) FULL(-1);
  return REAL(open)(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = va_arg(args, mode_t);
  va_end(args);
  if (creates(flags) && count(1)) FULL(-1);
  return REAL(open64)(path, flags, mode);
}

/* isoveil publishes with syscall(SYS_renameat2, ...). */
long syscall(long number, ...) {
  va_list args;
  va_start(args, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(args, long);
  va_end(args);
  if (number == SYS_renameat2) count(0);
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
