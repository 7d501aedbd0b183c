/* The bridge without Python: what module.c and the C tests call. core.c has the theory of operation.
 *
 * Every function may be called from any thread. None calls Python. Those marked NATIVE call the native library: call them
 * with the GIL released.
 */

#ifndef LIVEKIT_TRIO_CORE_H
#define LIVEKIT_TRIO_CORE_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READY = 0x1000,
    LAGGED = 0x1001,
};

/* The native library's four entry points, less livekit_ffi_dispose: it frees frames under living views, so it is never called. */
typedef void (*native_callback)(const uint8_t *data, size_t size);

struct native {
    void (*initialize)(native_callback callback, bool capture_logs, const char *sdk, const char *version);
    uint64_t (*request)(const uint8_t *data, size_t size, const uint8_t **response, size_t *response_size);
    bool (*drop)(uint64_t handle);
};

/* The library itself */

/* NATIVE. Initialise the library. False: this was done before in this process. */
bool core_load(struct native native, const char *sdk, const char *version);

/* NATIVE. The response's handle, 0 for a refusal; otherwise drop it once the response, which belongs to it, has been copied. */
uint64_t core_request(const uint8_t *data, size_t size, const uint8_t **response, size_t *response_size);

/* NATIVE. False: not there, or the bridge has been silenced or disowned. */
bool core_drop(uint64_t handle);

/* No callback does anything from now on, nothing is dropped any more. Takes no lock. */
void core_silence(void);

/* In a forked child: the parent's threads are gone and may have left every lock held, so that nothing takes one any more. */
void core_disown(void);
bool core_disowned(void);

enum counter {
    CALLBACKS,
    CALLBACK_MAX_NS,
    DROPPED_UNROUTED,
    DROPPED_ABANDONED,
    DROPPED_RAW,
    DROPPED_FRAMES,
    DROPPED_LOGS,
    UNDONE_JOINS,
    MALFORMED,
    COUNTERS
};

void core_statistics(uint64_t counters[COUNTERS]);

/* Logs */

struct record {
    struct record *next;
    size_t size;
    uint8_t data[]; /* a serialised LogRecord */
};

void core_set_log_level(uint32_t level);

/* The records kept since the last call, oldest first; the caller frees them. */
struct record *core_take_logs(size_t *count);

/* Inboxes */

struct inbox;
struct route;
struct ring;

struct event {
    struct event *next;
    struct event *previous;
    uint64_t key;
    int64_t stamp;
    uint32_t kind;
    uint8_t bound; /* enum bound: which of its route's bounds it counts for */
    size_t cost;   /* what it counts */
    union {
        struct route *route;       /* data packets, chunks, LAGGED */
        struct ring *ring;         /* READY; a reference */
    };
    struct event *next_lossy; /* the route's next lossy packet */
    uint64_t lost;            /* LAGGED: so many; a frame: so many dropped just before it */
    size_t size;
    uint8_t payload[];
};

struct inbox_statistics {
    uint64_t buffered, buffered_bytes, peak_bytes, taken, batches, dropped_lossy, dropped_reliable;
};

enum outcome { DONE, CLOSED, TAKEN, NO_MEMORY, REFUSED, NO_STREAM };

/* NULL if there is no memory, or 65535 inboxes are open. The inbox owns the descriptors, which are one and the same for an eventfd. */
struct inbox *inbox_open(descriptor_t read_fd, descriptor_t write_fd);

/* NATIVE. Idempotent. */
void inbox_close(struct inbox *inbox);

/* The Python object's reference; the inbox is closed by then. */
void inbox_release(struct inbox *inbox);

uint16_t inbox_owner(const struct inbox *inbox);
bool inbox_fileno(struct inbox *inbox, descriptor_t *fd);

/* Up to *limit* events, chained by `next`; they are the caller's. */
struct event *inbox_take(struct inbox *inbox, size_t limit, size_t *count);

/* DONE, CLOSED, TAKEN (another inbox has the key) or NO_MEMORY. A second call for the same key changes its bounds. */
enum outcome inbox_route(struct inbox *inbox, uint64_t key, uint64_t lossy_limit, uint64_t reliable_limit, bool raw_streams);

/* NATIVE. */
void inbox_unroute(struct inbox *inbox, uint64_t key);

/* NATIVE. False: no memory. */
bool inbox_abandon(struct inbox *inbox, uint64_t async_id);

void inbox_statistics(struct inbox *inbox, struct inbox_statistics *statistics);

/* Give events back unused: connects are undone, handles dropped, memory freed. NATIVE. */
void events_dispose(struct event *chain);
/* Free events whose handles have found another owner. */
void events_free(struct event *chain);

/* Rings */

struct ring_statistics {
    uint64_t received, dropped, buffered;
};

struct opening {
    struct ring *ring;
    uint64_t response_handle; /* drop it when the response has been copied */
    const uint8_t *response;
    size_t response_size;
};

/* NATIVE. DONE, CLOSED, NO_MEMORY, REFUSED (handle 0) or NO_STREAM (the response has none). Only DONE leaves something in *opening*. */
enum outcome ring_open(struct inbox *inbox, const uint8_t *message, size_t size, size_t capacity, struct opening *opening);

uint64_t ring_key(const struct ring *ring);

/* The oldest frame, then the end of the stream, then NULL. It is the caller's, with its handle. */
struct event *ring_take(struct ring *ring);

/* NATIVE. Idempotent. */
void ring_close(struct ring *ring);

/* The Python object's reference; the ring is closed by then. */
void ring_release(struct ring *ring);

void ring_statistics(struct ring *ring, struct ring_statistics *statistics);

#endif
