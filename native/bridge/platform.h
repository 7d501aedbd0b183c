/* What differs between operating systems: a mutex, a monotonic clock, descriptors.
 *
 * Only the POSIX half is tested, on Linux. No symbol newer than glibc 2.28 is used. To be included before any system header, but
 * for Python.h, which comes before everything.
 */

#ifndef LIVEKIT_TRIO_PLATFORM_H
#define LIVEKIT_TRIO_PLATFORM_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE /* CLOCK_UPTIME_RAW */
#endif

#include <stdbool.h>
#include <stdint.h>

#ifdef _WIN32

#include <winsock2.h>
#include <windows.h>

typedef SRWLOCK mutex_t;
#define MUTEX_INITIALIZER SRWLOCK_INIT

static inline void mutex_init(mutex_t *mutex) { InitializeSRWLock(mutex); }
static inline void mutex_destroy(mutex_t *mutex) { (void)mutex; }
static inline void mutex_lock(mutex_t *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void mutex_unlock(mutex_t *mutex) { ReleaseSRWLockExclusive(mutex); }

static inline int64_t clock_now(void) {
    LARGE_INTEGER frequency, now;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&now);
    int64_t seconds = now.QuadPart / frequency.QuadPart, rest = now.QuadPart % frequency.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

typedef SOCKET descriptor_t;

static inline void descriptor_set_nonblocking(descriptor_t fd) {
    u_long yes = 1;
    ioctlsocket(fd, FIONBIO, &yes);
}
static inline bool descriptor_write(descriptor_t fd, const void *data, int size) { return send(fd, data, size, 0) == size; }
static inline bool descriptor_read(descriptor_t fd, void *data, int size) { return recv(fd, data, size, 0) > 0; }
static inline void descriptor_close(descriptor_t fd) { closesocket(fd); }

#else

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

typedef pthread_mutex_t mutex_t;
#define MUTEX_INITIALIZER PTHREAD_MUTEX_INITIALIZER

static inline void mutex_init(mutex_t *mutex) { pthread_mutex_init(mutex, NULL); }
static inline void mutex_destroy(mutex_t *mutex) { pthread_mutex_destroy(mutex); }
static inline void mutex_lock(mutex_t *mutex) { pthread_mutex_lock(mutex); }
static inline void mutex_unlock(mutex_t *mutex) { pthread_mutex_unlock(mutex); }

static inline int64_t clock_now(void) {
    struct timespec now;
#ifdef __APPLE__
    clock_gettime(CLOCK_UPTIME_RAW, &now); /* the clock of Python's time.monotonic() there */
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

typedef int descriptor_t;

static inline void descriptor_set_nonblocking(descriptor_t fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}
static inline bool descriptor_write(descriptor_t fd, const void *data, int size) {
    ssize_t written;
    do {
        written = write(fd, data, (size_t)size);
    } while (written < 0 && errno == EINTR);
    return written == size;
}
static inline bool descriptor_read(descriptor_t fd, void *data, int size) {
    ssize_t count;
    do {
        count = read(fd, data, (size_t)size);
    } while (count < 0 && errno == EINTR);
    return count > 0;
}
/* Never repeated on EINTR: on Linux the descriptor is gone by then and may already be somebody else's. */
static inline void descriptor_close(descriptor_t fd) { close(fd); }

#endif

#endif
