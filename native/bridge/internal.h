/* What the bridge's own files share. */

#ifndef LIVEKIT_TRIO_INTERNAL_H
#define LIVEKIT_TRIO_INTERNAL_H

#include "core.h"

#include <stdatomic.h>

#include "map.h"
#include "wire.h"

enum kind {
    ROOM_EVENT = 1,
    TRACK_EVENT = 2,
    VIDEO_STREAM_EVENT = 3,
    AUDIO_STREAM_EVENT = 4,
    CONNECT = 5,
    LOGS = 18,
    PANIC = 20,
    RPC_METHOD_INVOCATION = 24,
    BYTE_STREAM_READER_EVENT = 28,
    TEXT_STREAM_READER_EVENT = 35,
    DATA_TRACK_STREAM_EVENT = 43,
    CAPTURE_SOURCE_EVENT = 48,
};

/* Kinds whose field 1 is a native handle go to routes and rings, see HANDLE_KEYED in livekit_trio/_ffi/_abc.py. */
static inline bool is_handle_keyed(uint32_t kind) {
    switch (kind) {
    case ROOM_EVENT:
    case VIDEO_STREAM_EVENT:
    case AUDIO_STREAM_EVENT:
    case RPC_METHOD_INVOCATION:
    case BYTE_STREAM_READER_EVENT:
    case TEXT_STREAM_READER_EVENT:
    case DATA_TRACK_STREAM_EVENT:
    case CAPTURE_SOURCE_EVENT:
        return true;
    default:
        return false;
    }
}

/* All the others that have a key: field 1 is the async id of a request. */
static inline bool is_reply(uint32_t kind) {
    return !is_handle_keyed(kind) && kind != TRACK_EVENT && kind != LOGS && kind != PANIC && kind < READY;
}

#define LAGGED_DIGITS 24 /* room for a uint64 */

enum bound { UNBOUNDED, LOSSY, RELIABLE };

/* An event on its way through the callback; the bytes are the library's until the callback returns. */
struct arrival {
    uint32_t kind;
    uint64_t key;
    int64_t stamp;
    struct wire payload;
    uint32_t detail;    /* RoomEvent's oneof; 0 for other kinds */
    struct wire inside; /* the message in it */
    enum bound bound;   /* which of its route's bounds it counts for, and for how many bytes: measured once it has a route */
    size_t cost;
};

/* Who finds what. Guarded by `registry.lock`, which comes before the lock of an inbox or a ring. */
struct registry {
    mutex_t lock;
    struct map owners;    /* owner -> inbox, a reference */
    struct map routes;    /* handle -> route, a reference */
    struct map rings;     /* handle -> ring, a reference */
    struct inbox *oldest; /* all open inboxes, by age */
    struct inbox *youngest;
    uint16_t last_owner;
    size_t openings;       /* ring_open calls under way */
    struct event *stash;   /* media events that found no ring meanwhile, oldest first */
    struct event *stash_last;
    size_t stash_size;
};

struct inbox {
    atomic_size_t references;
    uint16_t owner;

    /* registry.lock */
    struct inbox *older;
    struct inbox *younger;
    bool open;

    /* lock */
    mutex_t lock;
    bool closed;
    bool awake;  /* the descriptor is readable */
    bool called; /* it is, or shall stay so, on account of logs; until the next take() */
    descriptor_t read_fd, write_fd;
    struct event *first;
    struct event *last;
    struct map abandoned; /* async id -> anything */
    struct inbox_statistics statistics;
};

struct route {
    atomic_size_t references;
    uint64_t key;
    struct inbox *inbox; /* a reference */
    struct route *next;  /* while its inbox is being closed */
    atomic_bool raw_streams;

    /* inbox->lock */
    bool ended;
    uint64_t limit[RELIABLE + 1]; /* bytes, by enum bound */
    uint64_t queued[RELIABLE + 1];
    struct event *first_lossy;
    struct event *last_lossy;
    struct event *lagged; /* the LAGGED in the FIFO that counts what is lost now; NULL once something was accepted behind it */
};

struct ring {
    atomic_size_t references;
    uint64_t key;
    struct inbox *inbox; /* a reference */

    /* inbox->lock */
    struct event *mark; /* the READY in the FIFO, if one is there */

    /* lock */
    mutex_t lock;
    bool closed;
    bool announced; /* a READY has been queued since the ring was last found empty */
    uint64_t lost;  /* dropped since the last frame was taken */
    struct ring_statistics statistics;
    struct event *end; /* the native end of the stream: after all frames, never dropped */
    size_t capacity;
    size_t oldest;
    struct event *frames[];
};

extern struct registry registry;

/* native.c */
extern struct native native;
bool is_silent(void);
void count(enum counter counter, uint64_t amount);
void count_duration(int64_t nanoseconds);
/* Drop the handles in a serialised event and undo the join that it reports, if it does. NATIVE. */
void dispose_payload(uint32_t kind, struct wire payload);
/* The same for an event that nobody gets, which is counted. NATIVE. */
void drop_arrival(const struct arrival *arrival, enum counter counter);
/* The same for events that had been queued. NATIVE. */
void events_throw_away(struct event *chain);
/* The first handle that a serialised FfiResponse owns, or 0. */
uint64_t response_handle(struct wire response);

/* fifo.c: all under inbox->lock, but for the making of events */
struct event *event_allocate(uint32_t kind, uint64_t key, int64_t stamp, size_t size);
struct event *event_new(const struct arrival *arrival);
void fifo_append(struct inbox *inbox, struct event *event);
/* Take one out, wherever it stands; the books are right afterwards. */
void fifo_unlink(struct inbox *inbox, struct event *event);
/* Move all that match into a chain, in their order. */
struct event *fifo_purge(struct inbox *inbox, bool (*matches)(const struct event *, const void *), const void *context);
void fifo_wake(struct inbox *inbox);
/* After something was unlinked: the descriptor is no longer readable if nothing is there. */
void fifo_settle(struct inbox *inbox);

/* route.c */
void route_deliver(struct arrival *arrival);
/* Under registry.lock: take the inbox's routes out of the registry. Release them when nothing of theirs is queued any more. */
struct route *routes_detach(const struct inbox *inbox);
void routes_release(struct route *routes);

/* inbox.c */
void inbox_keep(struct inbox *inbox);
void inbox_deliver_reply(const struct arrival *arrival);
void inbox_deliver_panic(const struct arrival *arrival);
/* Append a READY mark unless there is one. */
void inbox_mark_ready(struct inbox *inbox, struct ring *ring, int64_t stamp);
/* Take the READY mark out of the FIFO, if there is one. */
void inbox_unmark(struct inbox *inbox, struct ring *ring);
/* Make somebody call take(): there are logs. */
void inbox_wake_oldest(void);

/* ring.c */
void ring_deliver(const struct arrival *arrival);
void ring_keep(struct ring *ring);
/* Take the inbox's rings out of the registry, and close them. NATIVE. */
void rings_close(struct inbox *inbox);

/* logs.c */
void logs_keep(struct wire batch);
bool logs_waiting(void);

#endif
