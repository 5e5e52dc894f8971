/* This library is preloaded into a process under test. It counts the calls on files below FAULT_ROOT and makes a chosen
 * one fail. With FAULT_LOG, a file elsewhere, it records the changes of files in the order in which they happened.
 *
 * The process controls it by readlink("/fault/N/ERRNO"): the call number N from now (from 0) fails with ERRNO, or for
 * ERRNO 0 transfers half of what was asked. With N = -1 none fails. The "link" is the trace of the calls until now: a
 * letter for each (o open, r read, w write, s sync, n rename, m mkdir, l symlink, u unlink, t truncate, c close), and a
 * '!' after the one that failed.
 *
 * readlink("/fault/rename/ERRNO") makes every renaming below FAULT_ROOT fail from now on, as on a file system
 * without renaming. ERRNO 0 ends that.
 *
 * The log has a record for each call that succeeded: KIND, descriptor, number, count and two paths, with tabs between and
 * a newline after, then `count` bytes. The kinds are o open (flags), w write (offset, data), t truncate (length), s sync,
 * c close, n rename, m mkdir, l symlink (target, path), u unlink, r rmdir, and # for the TEXT of
 * readlink("/fault/mark/TEXT"). disk-model.ts reads the log. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
/* The paths of descriptors below FAULT_ROOT; null for others. */
static char *watched[MAX_FD];
static char trace[MAX_TRACE];
static int traced = 0;
static long calls = 0, fail_at = -1;
static int fail_with = 0;
static volatile int rename_error = 0;

/* The lock is held while a call that changes files is made and recorded, so that the log has the order of the calls. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_below(const char *path) {
  const char *root = getenv("FAULT_ROOT");
  return root != NULL && path != NULL && strncmp(path, root, strlen(root)) == 0;
}

static int is_watched(int fd) { return fd >= 0 && fd < MAX_FD && watched[fd] != NULL; }

/* Returns `path`, resolved from the directory `at` into `out`; null if it is not below FAULT_ROOT. */
static const char *below(int at, const char *path, char out[PATH_MAX]) {
  if (path[0] == '/' || at == AT_FDCWD) return is_below(path) ? path : NULL;
  if (!is_watched(at)) return NULL;
  snprintf(out, PATH_MAX, "%s/%s", watched[at], path);
  return out;
}

static void log_bytes(int fd, const void *bytes, size_t count) {
  for (const char *at = bytes; count > 0;) {
    const ssize_t written = REAL(write)(fd, at, count);
    if (written < 0) abort(); /* A log with a hole would say that something is durable which is not. */
    at += written;
    count -= (size_t)written;
  }
}

/* Writes a record into the log. The caller holds `order`. Keeps errno. */
static void record(char kind, int fd, long long number, const void *data, size_t count, const char *a, const char *b) {
  static int log = -1;
  const int kept = errno;
  const char *file = getenv("FAULT_LOG");
  if (file == NULL) return;
  if (log < 0) log = REAL(open)(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (log < 0) abort();
  char head[2 * PATH_MAX + 100];
  const int length = snprintf(head, sizeof head, "%c\t%d\t%lld\t%zu\t%s\t%s\n", kind, fd, number, count, a, b);
  log_bytes(log, head, (size_t)length);
  log_bytes(log, data, count);
  errno = kept;
}

/* Makes a call and its record while `order` is held. */
#define RECORDED(type, call, ...)                \
  ({                                             \
    pthread_mutex_lock(&order);                  \
    const type result = call;                    \
    if (result >= 0) record(__VA_ARGS__);        \
    pthread_mutex_unlock(&order);                \
    result;                                      \
  })

enum { PASS, FAIL, HALF };

/* Decides whether the next call passes, fails or transfers half; sets errno if it fails. */
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
  if (strncmp(path, "/fault/mark/", 12) == 0) {
    RECORDED(int, 0, '#', -1, 0, NULL, 0, path + 12, "");
    errno = ENOENT;
    return -1;
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

/* Sets a descriptor's path, or null for a path elsewhere: libuv closes without `close`, and numbers are used again. */
static void watch(int fd, const char *path) {
  if (fd >= MAX_FD) abort();
  free(watched[fd]);
  watched[fd] = path == NULL ? NULL : strdup(path);
}

#define OPENED(call, path)                                                    \
  if (path != NULL && fate('o') == FAIL) return -1;                           \
  const int fd = path == NULL ? call : RECORDED(int, call, 'o', result, flags, NULL, 0, path, ""); \
  if (fd >= 0) watch(fd, path);                                               \
  return fd;

#define MODE                                                           \
    va_list args;                                                      \
    va_start(args, flags);                                             \
    const mode_t mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;  \
    va_end(args);                                                      \
    char out[PATH_MAX];

#define OPEN(name)                                      \
  int name(const char *path, int flags, ...) {          \
    MODE                                                \
    const char *found = below(AT_FDCWD, path, out);     \
    OPENED(REAL(name)(path, flags, mode), found)        \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                    \
  int name(int at, const char *path, int flags, ...) {  \
    MODE                                                \
    const char *found = below(at, path, out);           \
    OPENED(REAL(name)(at, path, flags, mode), found)    \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  if (!is_watched(fd)) return REAL(close)(fd);
  free(watched[fd]);
  watched[fd] = NULL;
  const int result = RECORDED(int, REAL(close)(fd), 'c', fd, 0, NULL, 0, "", "");
  /* As in the kernel, the descriptor is gone and the error is reported. */
  return fate('c') == FAIL ? -1 : result;
}

#define READ(result, name, parameters, whole, half)                    \
  result name parameters {                                             \
    const int fated = is_watched(fd) ? fate('r') : PASS;               \
    if (fated == FAIL) return -1;                                      \
    return fated == HALF ? REAL(name) half : REAL(name) whole;         \
  }
READ(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n), (fd, data, share(HALF, n)))
READ(ssize_t, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at), (fd, data, share(HALF, n), at))
READ(ssize_t, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at), (fd, data, share(HALF, n), at))

/* Returns the offset of the next write to `fd`. */
static off_t place_of(int fd) {
  struct stat status;
  if (!(fcntl(fd, F_GETFL) & O_APPEND)) return lseek(fd, 0, SEEK_CUR);
  return fstat(fd, &status) == 0 ? status.st_size : 0;
}

#define WRITE(name, parameters, arguments, place)                                                             \
  ssize_t name parameters {                                                                                   \
    if (!is_watched(fd)) return REAL(name) arguments;                                                         \
    const int fated = fate('w');                                                                              \
    if (fated == FAIL) return -1;                                                                             \
    n = share(fated, n);                                                                                      \
    off_t to = 0;                                                                                             \
    return RECORDED(ssize_t, (to = (off_t)(place), REAL(name) arguments), 'w', fd, to, data, (size_t)result, "", ""); \
  }
WRITE(write, (int fd, const void *data, size_t n), (fd, data, n), place_of(fd))
WRITE(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), at)
WRITE(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), at)

/* Writes only the first piece, since a write may be short at any place. */
ssize_t writev(int fd, const struct iovec *v, int n) {
  if (!is_watched(fd)) return REAL(writev)(fd, v, n);
  int first = 0;
  while (first < n - 1 && v[first].iov_len == 0) first++;
  return n == 0 ? 0 : write(fd, v[first].iov_base, v[first].iov_len);
}

#define ON_FILE(name, kind, parameters, arguments, number)             \
  int name parameters {                                                \
    if (!is_watched(fd)) return REAL(name) arguments;                  \
    if (fate(kind) == FAIL) return -1;                                 \
    return RECORDED(int, REAL(name) arguments, kind, fd, number, NULL, 0, "", ""); \
  }
ON_FILE(fsync, 's', (int fd), (fd), 0)
ON_FILE(fdatasync, 's', (int fd), (fd), 0)
ON_FILE(ftruncate, 't', (int fd, off_t length), (fd, length), length)
ON_FILE(ftruncate64, 't', (int fd, off64_t length), (fd, length), length)

static int renamed(int at, const char *from, int to_at, const char *to) {
  char before[PATH_MAX], after[PATH_MAX];
  const char *source = below(at, from, before), *target = below(to_at, to, after);
  if (source == NULL || target == NULL) return REAL(renameat)(at, from, to_at, to);
  if (rename_error != 0) errno = rename_error;
  if (rename_error != 0 || fate('n') == FAIL) return -1;
  return RECORDED(int, REAL(renameat)(at, from, to_at, to), 'n', -1, 0, NULL, 0, source, target);
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int at, const char *from, int to_at, const char *to) { return renamed(at, from, to_at, to); }

static int unlinked(int at, const char *path, int flags) {
  char out[PATH_MAX];
  const char *found = below(at, path, out);
  if (found == NULL) return REAL(unlinkat)(at, path, flags);
  if (fate('u') == FAIL) return -1;
  const char kind = flags & AT_REMOVEDIR ? 'r' : 'u';
  return RECORDED(int, REAL(unlinkat)(at, path, flags), kind, -1, 0, NULL, 0, found, "");
}
int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int at, const char *path, int flags) { return unlinked(at, path, flags); }

#define ON_PATH(name, kind, parameters, arguments, a, b)               \
  int name parameters {                                                \
    if (!is_below(path)) return REAL(name) arguments;                  \
    if (fate(kind) == FAIL) return -1;                                 \
    return RECORDED(int, REAL(name) arguments, kind, -1, 0, NULL, 0, a, b); \
  }
ON_PATH(mkdir, 'm', (const char *path, mode_t mode), (path, mode), path, "")
ON_PATH(symlink, 'l', (const char *target, const char *path), (target, path), target, path)
