/* A disk that is full for one folder: preloaded into a process, it refuses what needs space from the k-th call on.
 *
 *   FAULT_DIR    absolute, resolved path of the folder; nothing outside of it is touched
 *   FAULT_AFTER  the number of the first call that fails, counted from 1; 0 or nothing: none does
 *   FAULT_LOG    a file outside of the folder that gets one line a call: number, name, path; optional
 *
 * Opening an existing file and removing one need no space and are neither counted nor refused. What stdio buffers is
 * written inside the C library, out of reach: of a stdio stream only the fopen that makes a file is seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder;
static long first_refused;
static int log_file = -1;
static atomic_long calls;

__attribute__((constructor)) static void start(void) {
  folder = getenv("FAULT_DIR");
  const char *after = getenv("FAULT_AFTER"), *log = getenv("FAULT_LOG");
  first_refused = after ? atol(after) : 0;
  /* System calls, since the functions of these names are our own. */
  if (log) log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
}

static void path_at(int directory, const char *name, char *path) {
  path[0] = 0;
  if (name[0] != '/') {
    if (directory != AT_FDCWD)
      path_of(directory, path);
    else if (!getcwd(path, PATH_MAX))
      path[0] = 0;
    strncat(path, "/", PATH_MAX - strlen(path) - 1);
  }
  strncat(path, name, PATH_MAX - strlen(path) - 1);
}

static bool is_inside(const char *path) {
  size_t length = folder ? strlen(folder) : 0;
  return length && !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

/* Counts a call on a path in the folder; true, with errno set, where it has to fail. */
static bool refuses(const char *call, const char *path) {
  if (!is_inside(path)) return false;
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (log_file >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    syscall(SYS_write, log_file, line, (size_t)length);
  }
  if (!first_refused || number < first_refused) return false;
  errno = ENOSPC;
  return true;
}

static bool refuses_fd(const char *call, int fd) {
  char path[PATH_MAX];
  int before = errno;
  path_of(fd, path);
  errno = before;
  return refuses(call, path);
}

static bool refuses_at(const char *call, int directory, const char *name) {
  char path[PATH_MAX];
  int before = errno;
  path_at(directory, name, path);
  errno = before;
  return refuses(call, path);
}

/* Making a file needs space, opening one that exists does not. */
static bool refuses_open(const char *call, int directory, const char *name, bool creates) {
  int before = errno;
  bool exists = !faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW);
  errno = before;
  return creates && !exists && refuses_at(call, directory, name);
}

#define NEXT(name)                                        \
  static __typeof__(&name) next;                          \
  if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define ON_FD(type, name, fd, parameters, arguments)      \
  type name parameters {                                  \
    NEXT(name);                                           \
    return refuses_fd(#name, fd) ? -1 : next arguments;   \
  }

#define ON_PATH(name, directory, path, parameters, arguments)        \
  int name parameters {                                              \
    NEXT(name);                                                      \
    return refuses_at(#name, directory, path) ? -1 : next arguments; \
  }

ON_FD(ssize_t, write, fd, (int fd, const void *data, size_t size), (fd, data, size))
ON_FD(ssize_t, pwrite, fd, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FD(ssize_t, pwrite64, fd, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FD(ssize_t, writev, fd, (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_FD(ssize_t, pwritev, fd, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
ON_FD(ssize_t, pwritev64, fd, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
ON_FD(ssize_t, sendfile, to, (int to, int from, off_t *at, size_t size), (to, from, at, size))
ON_FD(ssize_t, sendfile64, to, (int to, int from, off64_t *at, size_t size), (to, from, at, size))
ON_FD(ssize_t, copy_file_range, to,
      (int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags),
      (from, from_at, to, to_at, size, flags))
ON_FD(int, fsync, fd, (int fd), (fd))
ON_FD(int, fdatasync, fd, (int fd), (fd))
ON_FD(int, ftruncate, fd, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, fd, (int fd, off64_t size), (fd, size))
ON_FD(int, fallocate, fd, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
ON_FD(int, fallocate64, fd, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))

ON_PATH(mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdirat, directory, path, (int directory, const char *path, mode_t mode), (directory, path, mode))
ON_PATH(rename, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(renameat, to_in, to, (int from_in, const char *from, int to_in, const char *to), (from_in, from, to_in, to))
ON_PATH(renameat2, to_in, to, (int from_in, const char *from, int to_in, const char *to, unsigned flags),
        (from_in, from, to_in, to, flags))
ON_PATH(link, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(linkat, to_in, to, (int from_in, const char *from, int to_in, const char *to, int flags),
        (from_in, from, to_in, to, flags))
ON_PATH(symlink, AT_FDCWD, path, (const char *target, const char *path), (target, path))
ON_PATH(symlinkat, directory, path, (const char *target, int directory, const char *path), (target, directory, path))

#define OPEN(name)                                                                                      \
  int name(const char *path, int flags, ...) {                                                          \
    NEXT(name);                                                                                         \
    va_list rest;                                                                                       \
    va_start(rest, flags);                                                                              \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                           \
    va_end(rest);                                                                                       \
    return refuses_open(#name, AT_FDCWD, path, flags & O_CREAT) ? -1 : next(path, flags, mode);         \
  }

#define OPENAT(name)                                                                                    \
  int name(int directory, const char *path, int flags, ...) {                                           \
    NEXT(name);                                                                                         \
    va_list rest;                                                                                       \
    va_start(rest, flags);                                                                              \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                           \
    va_end(rest);                                                                                       \
    return refuses_open(#name, directory, path, flags & O_CREAT) ? -1 : next(directory, path, flags, mode); \
  }

#define FOPEN(name)                                                                                     \
  FILE *name(const char *path, const char *mode) {                                                      \
    NEXT(name);                                                                                         \
    return refuses_open(#name, AT_FDCWD, path, mode[0] != 'r') ? NULL : next(path, mode);               \
  }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)

int creat(const char *path, mode_t mode) {
  NEXT(creat);
  return refuses_open("creat", AT_FDCWD, path, true) ? -1 : next(path, mode);
}

/* This one returns the error instead of setting errno. */
int posix_fallocate(int fd, off_t at, off_t size) {
  NEXT(posix_fallocate);
  return refuses_fd("posix_fallocate", fd) ? ENOSPC : next(fd, at, size);
}
