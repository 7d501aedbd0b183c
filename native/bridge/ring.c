/* Rings: the frames of one media stream that nobody has taken yet. core.c has the theory of operation. */

#include "internal.h"

#include <stdlib.h>

/* Frames between a stream's start and the parsing of its response: 20 ms of them are some ten. */
#define STASH_CAPACITY 256

enum { STREAM_EVENT_EOS = 3 }; /* of VideoStreamEvent and AudioStreamEvent */

static struct ring *ring_new(struct inbox *inbox, size_t capacity) {
    struct ring *ring = calloc(1, sizeof *ring + capacity * sizeof *ring->frames);
    if (ring) {
        atomic_init(&ring->references, 1);
        mutex_init(&ring->lock);
        ring->capacity = capacity;
        ring->inbox = inbox;
        inbox_keep(inbox);
    }
    return ring;
}

void ring_keep(struct ring *ring) { atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed); }

void ring_release(struct ring *ring) {
    if (atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) == 1) {
        inbox_release(ring->inbox);
        mutex_destroy(&ring->lock);
        free(ring);
    }
}

uint64_t ring_key(const struct ring *ring) { return ring->key; }

void ring_statistics(struct ring *ring, struct ring_statistics *statistics) {
    mutex_lock(&ring->lock);
    *statistics = ring->statistics;
    mutex_unlock(&ring->lock);
}

/* Putting in */

static bool is_end(const struct event *event) {
    struct field field;
    return wire_find(wire_of(event->payload, event->size), STREAM_EVENT_EOS, WIRE_BYTES, &field);
}

static struct event *pop_frame(struct ring *ring) {
    if (!ring->statistics.buffered) {
        return NULL;
    }
    struct event *frame = ring->frames[ring->oldest];
    ring->oldest = (ring->oldest + 1) % ring->capacity;
    ring->statistics.buffered--;
    return frame;
}

/* Returns what has to go instead: the oldest frame of a full ring, or the event itself, which comes too late. */
static struct event *push(struct ring *ring, struct event *event, bool *announce) {
    struct event *gone = NULL;
    enum counter counter = DROPPED_FRAMES;
    mutex_lock(&ring->lock);
    *announce = !ring->closed && !ring->announced;
    ring->announced |= *announce;
    if (ring->closed || ring->end) {
        gone = event;
        counter = DROPPED_UNROUTED;
    } else if (is_end(event)) {
        ring->end = event;
    } else {
        struct ring_statistics *statistics = &ring->statistics;
        statistics->received++;
        if (statistics->buffered == ring->capacity) {
            gone = pop_frame(ring);
            statistics->dropped++;
            ring->lost++;
        }
        ring->frames[(ring->oldest + statistics->buffered++) % ring->capacity] = event;
    }
    mutex_unlock(&ring->lock);
    if (gone) {
        count(counter, 1);
        gone->next = NULL;
    }
    return gone;
}

/* Under registry.lock: a frame may belong to a stream whose ring_open has not read its response yet. Returns what has to go. */
static struct event *stash(struct event *event) {
    struct event *gone = NULL;
    if (!registry.openings) {
        return event;
    }
    if (registry.stash_size == STASH_CAPACITY) {
        gone = registry.stash;
        registry.stash = gone->next;
        gone->next = NULL;
    } else {
        registry.stash_size++;
    }
    *(registry.stash ? &registry.stash_last->next : &registry.stash) = event;
    registry.stash_last = event;
    return gone;
}

void ring_deliver(const struct arrival *arrival) {
    struct event *event = event_new(arrival);
    if (!event) {
        drop_arrival(arrival, DROPPED_FRAMES);
        return;
    }
    struct event *gone = NULL;
    bool announce = false;
    mutex_lock(&registry.lock);
    struct ring *ring = map_get(&registry.rings, arrival->key);
    if (ring) {
        ring_keep(ring);
    } else {
        gone = stash(event);
        count(DROPPED_UNROUTED, gone != NULL);
    }
    mutex_unlock(&registry.lock);

    if (ring) {
        gone = push(ring, event, &announce);
        if (announce) {
            inbox_mark_ready(ring->inbox, ring, arrival->stamp);
        }
        ring_release(ring);
    }
    events_dispose(gone);
}

/* Opening */

/* Under registry.lock, so that no later frame gets in before them. Returns what has to go. */
static struct event *adopt_stash(struct ring *ring, bool *announce) {
    struct event *chain = NULL, *event = registry.stash;
    registry.stash = NULL;
    registry.stash_size = 0;
    while (event) {
        struct event *next = event->next, *gone;
        bool first = false;
        event->next = NULL;
        gone = event->key == ring->key ? push(ring, event, &first) : stash(event);
        *announce |= first;
        if (gone) {
            gone->next = chain;
            chain = gone;
        }
        event = next;
    }
    return chain;
}

static bool begin_opening(struct inbox *inbox) {
    mutex_lock(&registry.lock);
    bool open = inbox->open;
    registry.openings += open;
    mutex_unlock(&registry.lock);
    return open;
}

/* Put the ring into the registry, with what has been stashed for it; the last opening throws away the rest of the stash. */
static enum outcome end_opening(struct ring *ring, bool *announce) {
    enum outcome outcome = DONE;
    struct event *gone = NULL, *unclaimed = NULL;
    mutex_lock(&registry.lock);
    if (!ring->key) {
        outcome = NO_STREAM;
    } else if (!ring->inbox->open) {
        outcome = CLOSED;
    } else if (map_get(&registry.rings, ring->key)) {
        outcome = TAKEN;
    } else if (!map_put(&registry.rings, ring->key, ring)) {
        outcome = NO_MEMORY;
    } else {
        ring_keep(ring);
        gone = adopt_stash(ring, announce);
    }
    if (--registry.openings == 0) {
        unclaimed = registry.stash;
        registry.stash = NULL;
        registry.stash_size = 0;
    }
    mutex_unlock(&registry.lock);

    events_throw_away(unclaimed);
    events_dispose(gone);
    return outcome;
}

enum outcome ring_open(struct inbox *inbox, const uint8_t *message, size_t size, size_t capacity, struct opening *opening) {
    struct ring *ring = ring_new(inbox, capacity);
    if (!ring) {
        return NO_MEMORY;
    }
    if (!begin_opening(inbox)) {
        ring_release(ring);
        return CLOSED;
    }
    opening->ring = ring;
    opening->response_handle = core_request(message, size, &opening->response, &opening->response_size);
    ring->key = opening->response_handle ? response_handle(wire_of(opening->response, opening->response_size)) : 0;

    bool announce = false;
    enum outcome outcome = end_opening(ring, &announce);
    if (outcome == DONE) {
        if (announce) {
            inbox_mark_ready(inbox, ring, clock_now());
        }
        return DONE;
    }
    if (ring->key && outcome != TAKEN) {
        core_drop(ring->key); /* nobody will ever read from that stream */
    }
    ring_release(ring);
    if (!opening->response_handle) {
        return REFUSED;
    }
    core_drop(opening->response_handle);
    return outcome;
}

/* Taking out */

struct event *ring_take(struct ring *ring) {
    mutex_lock(&ring->lock);
    struct event *event = pop_frame(ring);
    if (event) {
        event->lost = ring->lost;
        ring->lost = 0;
    } else if (!ring->closed && ring->end) {
        event = ring->end;
        ring->end = NULL;
        ring->closed = true; /* what comes after the end is not the stream's */
    } else {
        ring->announced = false;
    }
    mutex_unlock(&ring->lock);
    return event;
}

/* Closing */

static void shut(struct ring *ring) {
    struct event *chain = NULL, *event;
    mutex_lock(&ring->lock);
    ring->closed = true;
    while ((event = pop_frame(ring))) {
        event->next = chain;
        chain = event;
    }
    event = ring->end;
    ring->end = NULL;
    mutex_unlock(&ring->lock);
    inbox_unmark(ring->inbox, ring);
    events_dispose(chain);
    free(event);
}

void ring_close(struct ring *ring) {
    mutex_lock(&registry.lock);
    bool bound = map_get(&registry.rings, ring->key) == ring;
    if (bound) {
        map_remove(&registry.rings, ring->key);
    }
    mutex_unlock(&registry.lock);
    shut(ring);
    if (bound) {
        ring_release(ring); /* the registry's */
    }
}

struct search {
    const struct inbox *inbox;
    struct ring *found;
};

static bool take_first_of_inbox(void *value, void *context) {
    struct ring *ring = value;
    struct search *search = context;
    if (search->found || ring->inbox != search->inbox) {
        return false;
    }
    search->found = ring;
    return true;
}

void rings_close(struct inbox *inbox) {
    for (;;) {
        struct search search = {inbox, NULL};
        mutex_lock(&registry.lock);
        map_sweep(&registry.rings, take_first_of_inbox, &search);
        mutex_unlock(&registry.lock);
        if (!search.found) {
            return;
        }
        shut(search.found);
        ring_release(search.found);
    }
}
