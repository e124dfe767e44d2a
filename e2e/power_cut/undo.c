/* Preloaded into replicas by tests of power cuts. Before a file below a replica's data folder is changed, what it held is
 * noted in a file of its own below $POWER_CUT_UNDO; once the file is synced, the note is emptied, and after a write at a place
 * through O_DSYNC what was noted for that write is taken out again. After a kill, what is still noted was never synced: a
 * test takes it back (e2e/src/power_cut.rs), as a power cut may.
 *
 * A note's record: offset, length of the change, length of the file before, count of bytes noted (u64 each, this machine's
 * order), the bytes. Not covered: names (a rename or removal counts as durable at once) and mapped memory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Whether it is a file of a replica's data, and where its note is. */
static int note_of(const char *path, char note[PATH_MAX]) {
  const char *folder = getenv("POWER_CUT_UNDO");
  const char *process = strstr(path, "/processes/replica-");
  if (folder == NULL || process == NULL || strstr(process, "/data/") == NULL) return 0;
  int length = snprintf(note, PATH_MAX, "%s/%s", folder, path + 1);
  if (length >= PATH_MAX) abort();
  for (char *at = note + strlen(folder) + 1; *at != 0; at++)
    if (*at == '/') *at = '%';
  return 1;
}

static int note_of_file(int file, char note[PATH_MAX]) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return note_of(path, note);
}

static void put(int note, const void *bytes, size_t count) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  if (real(note, bytes, count) != (ssize_t)count) abort();
}

/* Notes what `length` bytes at `offset` are before they are changed. The lock is held. */
static void note_change(int file, uint64_t offset, uint64_t length) {
  int before = errno;
  char path[PATH_MAX];
  struct stat found;
  if (fstat(file, &found) == 0 && S_ISREG(found.st_mode) && note_of_file(file, path)) {
    uint64_t size = (uint64_t)found.st_size;
    uint64_t end = offset + length < size ? offset + length : size;
    uint64_t count = offset < end ? end - offset : 0;
    uint64_t head[4] = {offset, length, size, count};
    char *bytes = malloc(count + 1);
    /* The file may have been opened for writing only. */
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", file);
    int reader = open(own, O_RDONLY | O_CLOEXEC);
    if (bytes == NULL || reader < 0 || pread(reader, bytes, count, (off_t)offset) != (ssize_t)count) abort();
    close(reader);
    int note = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (note < 0) abort();
    put(note, head, sizeof head);
    put(note, bytes, count);
    close(note);
    free(bytes);
  }
  errno = before;
}

static uint64_t place(int file) {
  struct stat found;
  int flags = fcntl(file, F_GETFL);
  if (flags >= 0 && (flags & O_APPEND) && fstat(file, &found) == 0) return (uint64_t)found.st_size;
  off_t at = lseek(file, 0, SEEK_CUR);
  return at < 0 ? 0 : (uint64_t)at;
}

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write);
  char note[PATH_MAX];
  if (!note_of_file(file, note)) return real(file, bytes, count);
  pthread_mutex_lock(&lock);
  note_change(file, place(file), count);
  ssize_t result = real(file, bytes, count);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  char note[PATH_MAX];
  if (!note_of_file(file, note)) return real(file, parts, count);
  uint64_t length = 0;
  for (int part = 0; part < count; part++) length += parts[part].iov_len;
  pthread_mutex_lock(&lock);
  note_change(file, place(file), length);
  ssize_t result = real(file, parts, count);
  pthread_mutex_unlock(&lock);
  return result;
}

/* The length of a file's note; -1 if there is none. */
static off_t noted(int file, char note[PATH_MAX]) {
  struct stat found;
  return note_of_file(file, note) && stat(note, &found) == 0 ? found.st_size : -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  char note[PATH_MAX] = "";
  pthread_mutex_lock(&lock);
  off_t length = noted(file, note);
  note_change(file, (uint64_t)offset, count);
  ssize_t result = real(file, bytes, count, offset);
  int before = errno, flags = fcntl(file, F_GETFL);
  if (result >= 0 && flags >= 0 && (flags & O_DSYNC) && note[0] != 0)
    if (length < 0 ? unlink(note) != 0 : truncate(note, length) != 0) abort();
  errno = before;
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) { return pwrite64(file, bytes, count, offset); }

int ftruncate64(int file, off64_t length) {
  REAL(ftruncate64);
  struct stat found;
  pthread_mutex_lock(&lock);
  if (fstat(file, &found) == 0) {
    uint64_t size = (uint64_t)found.st_size, cut = (uint64_t)length;
    note_change(file, cut < size ? cut : size, cut < size ? size - cut : cut - size);
  }
  int result = real(file, length);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

/* What is written while the file is synced waits: it must not count as synced. */
static int synced(int file, int (*real)(int)) {
  char note[PATH_MAX];
  if (!note_of_file(file, note)) return real(file);
  pthread_mutex_lock(&lock);
  int result = real(file);
  int before = errno;
  if (result == 0) unlink(note);
  errno = before;
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int file) {
  REAL(fsync);
  return synced(file, real);
}

int fdatasync(int file) {
  REAL(fdatasync);
  return synced(file, real);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  char absolute_from[PATH_MAX], absolute_to[PATH_MAX], note_from[PATH_MAX], note_to[PATH_MAX];
  pthread_mutex_lock(&lock);
  /* Before: afterwards the old name leads nowhere. */
  int is_data = realpath(from, absolute_from) != NULL && note_of(absolute_from, note_from);
  int result = real(from, to);
  int before = errno;
  if (result == 0 && is_data && realpath(to, absolute_to) != NULL && note_of(absolute_to, note_to))
    if (real(note_from, note_to) != 0) (void)remove(note_to); /* it was synced; a note of the file it replaced is void */
  errno = before;
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  char absolute[PATH_MAX], note[PATH_MAX];
  int is_data = realpath(path, absolute) != NULL && note_of(absolute, note);
  int result = real(path);
  int before = errno;
  if (result == 0 && is_data) real(note);
  errno = before;
  return result;
}
