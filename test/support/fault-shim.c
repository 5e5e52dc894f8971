/* Preloaded into a process under test: counts its calls on files below FAULT_ROOT and makes a chosen one fail.
 *
 * Controlled from inside by readlink("/fault/N/ERRNO"): the call number N from now (from 0) fails with ERRNO, or for
 * ERRNO 0 transfers half of what was asked. N = -1: none. The "link" is the trace of the calls until now, a letter each
 * (o open, r read, w write, s sync, n rename, m mkdir, l symlink, u unlink, t truncate, c close), and a '!' after the one
 * that failed.
 *
 * readlink("/fault/rename/ERRNO") makes every renaming below FAULT_ROOT fail from now on, as on a file system that has none;
 * ERRNO 0 ends that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 4096
#define MAX_TRACE 4000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char watched[MAX_FD];
static char trace[MAX_TRACE];
static int traced = 0;
static long calls = 0, fail_at = -1;
static int fail_with = 0;
static volatile int rename_error = 0;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_below(const char *path) {
  const char *root = getenv("FAULT_ROOT");
  return root != NULL && path != NULL && strncmp(path, root, strlen(root)) == 0;
}

static int is_watched(int fd) { return fd >= 0 && fd < MAX_FD && watched[fd]; }

enum { PASS, FAIL, HALF };

/* What becomes of the next call; sets errno if it fails. */
static int fate(char kind) {
  int result = PASS;
  pthread_mutex_lock(&lock);
  if (traced < MAX_TRACE - 2) trace[traced++] = kind;
  if (calls++ == fail_at) {
    if (traced < MAX_TRACE - 1) trace[traced++] = '!';
    if (fail_with != 0) {
      errno = fail_with;
      result = FAIL;
    } else {
      result = HALF;
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static size_t share(int fated, size_t count) { return fated == HALF && count > 1 ? count / 2 : count; }

ssize_t readlink(const char *path, char *out, size_t size) {
  long at;
  int with;
  if (sscanf(path, "/fault/rename/%d", &with) == 1) {
    rename_error = with;
    return 0;
  }
  if (sscanf(path, "/fault/%ld/%d", &at, &with) != 2) return REAL(readlink)(path, out, size);
  pthread_mutex_lock(&lock);
  const size_t length = (size_t)traced < size ? (size_t)traced : size;
  memcpy(out, trace, length);
  traced = 0;
  calls = 0;
  fail_at = at;
  fail_with = with;
  pthread_mutex_unlock(&lock);
  return (ssize_t)length;
}

#define OPEN(name)                                                     \
  int name(const char *path, int flags, ...) {                         \
    va_list args;                                                      \
    va_start(args, flags);                                             \
    const mode_t mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;  \
    va_end(args);                                                      \
    const int below = is_below(path);                                  \
    if (below && fate('o') == FAIL) return -1;                         \
    const int fd = REAL(name)(path, flags, mode);                      \
    if (fd >= 0 && fd < MAX_FD) watched[fd] = (char)below;             \
    return fd;                                                         \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  const int was_watched = is_watched(fd);
  if (was_watched) watched[fd] = 0;
  const int result = REAL(close)(fd);
  /* As the kernel does it: the descriptor is gone, the error is reported. */
  return was_watched && fate('c') == FAIL ? -1 : result;
}

#define TRANSFER(result, name, kind, parameters, whole, half)          \
  result name parameters {                                             \
    const int fated = is_watched(fd) ? fate(kind) : PASS;              \
    if (fated == FAIL) return -1;                                      \
    return fated == HALF ? REAL(name) half : REAL(name) whole;         \
  }
TRANSFER(ssize_t, write, 'w', (int fd, const void *data, size_t n), (fd, data, n), (fd, data, share(HALF, n)))
TRANSFER(ssize_t, pwrite, 'w', (int fd, const void *data, size_t n, off_t at), (fd, data, n, at),
         (fd, data, share(HALF, n), at))
TRANSFER(ssize_t, pwrite64, 'w', (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at),
         (fd, data, share(HALF, n), at))
TRANSFER(ssize_t, writev, 'w', (int fd, const struct iovec *v, int n), (fd, v, n),
         (fd, v, (int)share(HALF, (size_t)n)))
TRANSFER(ssize_t, read, 'r', (int fd, void *data, size_t n), (fd, data, n), (fd, data, share(HALF, n)))
TRANSFER(ssize_t, pread, 'r', (int fd, void *data, size_t n, off_t at), (fd, data, n, at),
         (fd, data, share(HALF, n), at))
TRANSFER(ssize_t, pread64, 'r', (int fd, void *data, size_t n, off64_t at), (fd, data, n, at),
         (fd, data, share(HALF, n), at))
TRANSFER(int, fsync, 's', (int fd), (fd), (fd))
TRANSFER(int, fdatasync, 's', (int fd), (fd), (fd))
TRANSFER(int, ftruncate, 't', (int fd, off_t length), (fd, length), (fd, length))
TRANSFER(int, ftruncate64, 't', (int fd, off64_t length), (fd, length), (fd, length))

static int cannot_rename(void) {
  if (rename_error != 0) errno = rename_error;
  return rename_error != 0;
}

int rename(const char *from, const char *to) {
  if (is_below(to) && (cannot_rename() || fate('n') == FAIL)) return -1;
  return REAL(rename)(from, to);
}

/* The native writers' way. Not one of the calls that are counted: it comes within what JavaScript renames. */
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  if (is_watched(to_dir) && cannot_rename()) return -1;
  return REAL(renameat)(from_dir, from, to_dir, to);
}

#define ON_PATH(name, kind, about, parameters, arguments)              \
  int name parameters {                                                \
    if (is_below(about) && fate(kind) == FAIL) return -1;              \
    return REAL(name) arguments;                                       \
  }
ON_PATH(mkdir, 'm', path, (const char *path, mode_t mode), (path, mode))
ON_PATH(symlink, 'l', path, (const char *target, const char *path), (target, path))
ON_PATH(unlink, 'u', path, (const char *path), (path))
ON_PATH(rmdir, 'u', path, (const char *path), (path))
