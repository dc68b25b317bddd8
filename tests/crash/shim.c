/* Preloaded into a writer: notes what it does to the files below one directory,
 * in one order, and fails calls when told.
 *
 * NT_SHIM_ROOT names the directory (absolute, without links), NT_SHIM_LOG the
 * file for the notes; without the latter nothing is noted. disk.py reads them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 1, FOLDER, WRITE, RESIZE, GROW, RENAME, UNLINK, LINK, SYNC, SYNCED, ACK, MAPPED };
enum group { WRITES = 1, SYNCS = 2, NAMES = 4, READS = 8 };

/* Followed by `size` bytes: content, or a path below the root (two with a NUL between them). */
struct event {
    uint32_t kind, size;
    uint64_t file; /* inode */
    uint64_t at;   /* offset, length, or the thread that syncs */
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_length;
static int notes = -1;
static struct { long groups, left, error, forever, torn, struck; } fault;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("NT_SHIM_LOG");
    if (path) {
        int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        notes = fcntl(fd, F_DUPFD_CLOEXEC, 900); /* out of the way of what is being watched */
        syscall(SYS_close, fd);
        if (notes < 0) abort();
    }
    root = getenv("NT_SHIM_ROOT");
    root_length = root ? strlen(root) : 0;
}

/* From now on, fail the nth call of these groups; with `torn` a write or read first does half. */
void shim_arm(long groups, long nth, long error, long forever, long torn) {
    pthread_mutex_lock(&order);
    fault = (__typeof__(fault)){groups, nth, error, forever, torn, 0};
    pthread_mutex_unlock(&order);
}

/* Fail nothing more. */
void shim_disarm(void) {
    pthread_mutex_lock(&order);
    fault.groups = 0;
    pthread_mutex_unlock(&order);
}

/* How many calls failed since shim_arm. */
long shim_struck(void) { return fault.struck; }

/* The error that this call shall get; 0 for none, -1 for half of what has so many bytes. */
static int failing(enum group group, size_t size) {
    if (!(fault.groups & group)) return 0;
    if (fault.left > 1) return fault.left--, 0;
    if (fault.left == 1 && fault.torn && size > 1) return fault.torn = 0, -1;
    if (fault.left < 1 && !fault.forever) return 0;
    fault.left = 0;
    fault.struck++;
    return errno = fault.error;
}

static const char *below(const char *path) {
    if (!root || strncmp(path, root, root_length)) return NULL;
    return path[root_length] == '/' ? path + root_length + 1 : path[root_length] ? NULL : "";
}

/* The absolute path of what a descriptor is open on, or of a path relative to one. */
static const char *locate(int fd, const char *path, char *absolute) {
    char link[64], base[PATH_MAX] = "";
    if (path && *path == '/') return below(strcpy(absolute, path));
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    if (syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1) < 0) return NULL;
    snprintf(absolute, PATH_MAX, path ? "%s/%s" : "%s", base, path);
    return below(absolute);
}

static int watched(int fd, struct stat *about) {
    char absolute[PATH_MAX];
    int before = errno, found = root && locate(fd, NULL, absolute) && !fstat(fd, about);
    errno = before;
    return found;
}

static void note(enum kind kind, uint64_t file, uint64_t at, const void *body, size_t size) {
    struct event event = {kind, (uint32_t)size, file, at};
    struct iovec parts[] = {{&event, sizeof event}, {(void *)body, size}};
    int before = errno;
    if (notes >= 0 && syscall(SYS_writev, notes, parts, 2) != (long)(sizeof event + size)) abort();
    errno = before;
}

static void note_path(enum kind kind, uint64_t file, const char *path) { note(kind, file, 0, path, strlen(path)); }

static uint64_t inode(int dir, const char *path) {
    struct stat about = {0};
    fstatat(dir, path, &about, AT_SYMLINK_NOFOLLOW);
    return about.st_ino;
}

/* The first half of a write, so that the next one meets the error. */
static ssize_t half(int fd, const struct iovec *parts, off_t at) {
    size_t size = (parts->iov_len + 1) / 2;
    return at < 0 ? syscall(SYS_write, fd, parts->iov_base, size) : syscall(SYS_pwrite64, fd, parts->iov_base, size, at);
}

static ssize_t whole(int fd, const struct iovec *parts, int count, off_t at) {
    return at < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, at, 0);
}

static void note_parts(enum kind kind, uint64_t file, off_t at, const struct iovec *parts, ssize_t size) {
    for (; size > 0; parts++) {
        size_t some = parts->iov_len < (size_t)size ? parts->iov_len : (size_t)size;
        note(kind, file, at, parts->iov_base, some);
        at += some, size -= some;
    }
}

/* Every way of writing ends here; `at` is negative where the descriptor's position counts. */
static ssize_t put(int fd, const struct iovec *parts, int count, off_t at) {
    struct stat about = {0};
    int said = fd == 1 && notes >= 0;
    if (!said && !watched(fd, &about)) return whole(fd, parts, count, at);
    pthread_mutex_lock(&order);
    off_t start = at;
    if (!said && at < 0) start = fcntl(fd, F_GETFL) & O_APPEND ? about.st_size : lseek(fd, 0, SEEK_CUR);
    int error = said ? 0 : failing(WRITES, parts->iov_len);
    ssize_t done = error > 0 ? -1 : error < 0 ? half(fd, parts, at) : whole(fd, parts, count, at);
    note_parts(said ? ACK : WRITE, about.st_ino, said ? 0 : start, parts, done);
    pthread_mutex_unlock(&order);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return put(fd, &(struct iovec){(void *)data, size}, 1, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return put(fd, &(struct iovec){(void *)data, size}, 1, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return put(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return put(fd, parts, count, at); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    return flags ? (errno = EOPNOTSUPP, -1) : put(fd, parts, count, at);
}
ssize_t pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off64_t) __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int) __attribute__((alias("pwritev2")));

/* Every way of reading ends here; nothing is noted, and but for faults nobody waits. */
static ssize_t fetch(int fd, const struct iovec *parts, int count, off_t at) {
    struct stat about;
    struct iovec first = {parts->iov_base, (parts->iov_len + 1) / 2};
    int error = 0;
    if (fault.groups & READS && watched(fd, &about)) {
        pthread_mutex_lock(&order);
        error = failing(READS, parts->iov_len);
        pthread_mutex_unlock(&order);
    }
    if (error > 0) return -1;
    if (error < 0) parts = &first, count = 1;
    return at < 0 ? syscall(SYS_readv, fd, parts, count) : syscall(SYS_preadv, fd, parts, count, at, 0);
}

ssize_t read(int fd, void *data, size_t size) { return fetch(fd, &(struct iovec){data, size}, 1, -1); }
ssize_t pread(int fd, void *data, size_t size, off_t at) { return fetch(fd, &(struct iovec){data, size}, 1, at); }
ssize_t readv(int fd, const struct iovec *parts, int count) { return fetch(fd, parts, count, -1); }
ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at) { return fetch(fd, parts, count, at); }
ssize_t pread64(int, void *, size_t, off64_t) __attribute__((alias("pread")));
ssize_t preadv64(int, const struct iovec *, int, off64_t) __attribute__((alias("preadv")));

/* A call on an open file: `CALL`, and what is noted once it was made. */
#define CHANGE(fd, group, CALL, KIND, AT)                     \
    struct stat about;                                        \
    if (!watched(fd, &about)) return CALL;                    \
    pthread_mutex_lock(&order);                               \
    int result = failing(group, 0) ? -1 : CALL;                  \
    if (result == 0) note(KIND, about.st_ino, AT, NULL, 0);   \
    pthread_mutex_unlock(&order);                             \
    return result;

int ftruncate(int fd, off_t size) { CHANGE(fd, WRITES, syscall(SYS_ftruncate, fd, size), RESIZE, size) }
int ftruncate64(int, off64_t) __attribute__((alias("ftruncate")));
int fallocate(int fd, int mode, off_t at, off_t size) {
    /* Punching holes is noted as what disk.py does not know. */
    CHANGE(fd, WRITES, syscall(SYS_fallocate, fd, mode, at, size), mode ? MAPPED : GROW, at + size)
}
int fallocate64(int, int, off64_t, off64_t) __attribute__((alias("fallocate")));
int posix_fallocate(int fd, off_t at, off_t size) { return fallocate(fd, 0, at, size) ? errno : 0; }
int posix_fallocate64(int, off64_t, off64_t) __attribute__((alias("posix_fallocate")));

int truncate(const char *path, off_t size) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : ftruncate(fd, size);
    if (fd >= 0) syscall(SYS_close, fd);
    return result;
}
int truncate64(const char *, off64_t) __attribute__((alias("truncate")));

/* Others go on while the disk syncs, so where it begins and where it ends are two events. */
static int sync_with(long call, int fd) {
    struct stat about;
    if (!watched(fd, &about)) return syscall(call, fd);
    uint64_t thread = syscall(SYS_gettid);
    pthread_mutex_lock(&order);
    int error = failing(SYNCS, 0);
    if (!error) note(SYNC, about.st_ino, thread, NULL, 0);
    pthread_mutex_unlock(&order);
    int result = error ? -1 : syscall(call, fd);
    pthread_mutex_lock(&order);
    if (!result) note(SYNCED, about.st_ino, thread, NULL, 0);
    pthread_mutex_unlock(&order);
    if (error) errno = error;
    return result;
}

int fsync(int fd) { return sync_with(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_with(SYS_fdatasync, fd); }

/* Promises nothing after a power cut: neither the disk's own cache nor a file's length. */
int sync_file_range(int fd, off64_t at, off64_t size, unsigned flags) {
    struct stat about;
    pthread_mutex_lock(&order);
    int error = watched(fd, &about) ? failing(SYNCS, 0) : 0;
    pthread_mutex_unlock(&order);
    return error ? -1 : syscall(SYS_sync_file_range, fd, at, size, flags);
}

int openat(int dir, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    char absolute[PATH_MAX];
    const char *name = root ? locate(dir, path, absolute) : NULL;
    if (!name) return syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&order);
    uint64_t known = inode(AT_FDCWD, absolute);
    int fd = failing(NAMES, 0) ? -1 : syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && !known) note_path(CREATE, inode(AT_FDCWD, absolute), name);
    if (fd >= 0 && known && flags & O_TRUNC) note(RESIZE, known, 0, NULL, 0);
    pthread_mutex_unlock(&order);
    return fd;
}

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        va_list rest;                                                           \
        va_start(rest, flags);                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                           \
        return openat(AT_FDCWD, path, flags, mode);                             \
    }
OPEN(open)
OPEN(open64)
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* A call on one name: `CALL`, and what is noted once it was made. */
#define RENAMED(dir, path, CALL, KIND)                                      \
    char absolute[PATH_MAX];                                                \
    const char *name = root ? locate(dir, path, absolute) : NULL;           \
    if (!name) return CALL;                                                 \
    pthread_mutex_lock(&order);                                             \
    int result = failing(NAMES, 0) ? -1 : CALL;                                \
    if (result == 0) note_path(KIND, inode(AT_FDCWD, absolute), name);      \
    pthread_mutex_unlock(&order);                                           \
    return result;

int mkdirat(int dir, const char *path, mode_t mode) { RENAMED(dir, path, syscall(SYS_mkdirat, dir, path, mode), FOLDER) }
int unlinkat(int dir, const char *path, int flags) { RENAMED(dir, path, syscall(SYS_unlinkat, dir, path, flags), UNLINK) }
int linkat(int from, const char *old, int dir, const char *path, int flags) {
    RENAMED(dir, path, syscall(SYS_linkat, from, old, dir, path, flags), LINK)
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int link(const char *old, const char *path) { return linkat(AT_FDCWD, old, AT_FDCWD, path, 0); }

int renameat(int from, const char *old, int to, const char *path) {
    char before[PATH_MAX], after[PATH_MAX], both[2 * PATH_MAX];
    const char *left = root ? locate(from, old, before) : NULL;
    const char *name = root ? locate(to, path, after) : NULL;
    if (!left || !name) return syscall(SYS_renameat2, from, old, to, path, 0);
    int length = snprintf(both, sizeof both, "%s%c%s", left, 0, name);
    pthread_mutex_lock(&order);
    int result = failing(NAMES, 0) ? -1 : syscall(SYS_renameat2, from, old, to, path, 0);
    if (result == 0) note(RENAME, inode(AT_FDCWD, after), 0, both, length);
    pthread_mutex_unlock(&order);
    return result;
}
int rename(const char *old, const char *path) { return renameat(AT_FDCWD, old, AT_FDCWD, path); }

/* Nobody sees what is written through a mapping, so that there is one is noted. */
void *mmap(void *where, size_t size, int access, int flags, int fd, off_t at) {
    struct stat about;
    if (fd >= 0 && flags & MAP_SHARED && access & PROT_WRITE && watched(fd, &about)) {
        pthread_mutex_lock(&order);
        note(MAPPED, about.st_ino, 0, NULL, 0);
        pthread_mutex_unlock(&order);
    }
    return (void *)syscall(SYS_mmap, where, size, access, flags, fd, at);
}
void *mmap64(void *, size_t, int, int, int, off64_t) __attribute__((alias("mmap")));
