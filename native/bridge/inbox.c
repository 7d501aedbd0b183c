/* Inboxes and routes: the FIFO of one event loop, its bounds, its wake descriptor. core.c has the theory of operation. */

#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNER_SHIFT 48
#define LAST_OWNER 65535
#define LAGGED_DIGITS 24

enum { DATA_PACKET_RECEIVED = 27, STREAM_HEADER_RECEIVED = 30, STREAM_TRAILER_RECEIVED = 32 }; /* of RoomEvent */

/* Lifetimes */

void inbox_keep(struct inbox *inbox) { atomic_fetch_add_explicit(&inbox->references, 1, memory_order_relaxed); }

void inbox_release(struct inbox *inbox) {
    if (atomic_fetch_sub_explicit(&inbox->references, 1, memory_order_acq_rel) == 1) {
        map_clear(&inbox->abandoned);
        mutex_destroy(&inbox->lock);
        free(inbox);
    }
}

static void route_release(struct route *route) {
    if (atomic_fetch_sub_explicit(&route->references, 1, memory_order_acq_rel) == 1) {
        inbox_release(route->inbox);
        free(route);
    }
}

static struct event *event_allocate(uint32_t kind, uint64_t key, int64_t stamp, size_t size) {
    struct event *event = malloc(sizeof *event + size);
    if (event) {
        *event = (struct event){.kind = kind, .key = key, .stamp = stamp, .size = size};
    }
    return event;
}

struct event *event_new(const struct arrival *arrival) {
    size_t size = wire_size(&arrival->payload);
    struct event *event = event_allocate(arrival->kind, arrival->key, arrival->stamp, size);
    if (event) {
        memcpy(event->payload, arrival->payload.at, size);
        event->cost = size;
    }
    return event;
}

/* The wake descriptor: touched only under the inbox's lock, so that a late callback never writes into somebody else's. */

static void wake(struct inbox *inbox) {
    if (!inbox->awake) {
        static const uint64_t one = 1;
        /* An eventfd takes eight bytes. A pipe gets a single one, and there is never a second before the first is read. */
        inbox->awake = descriptor_write(inbox->write_fd, &one, inbox->read_fd == inbox->write_fd ? 8 : 1);
    }
}

static void clear_wake(struct inbox *inbox) {
    if (inbox->awake) {
        uint64_t ignored;
        inbox->awake = !descriptor_read(inbox->read_fd, &ignored, sizeof ignored);
    }
}

/* The FIFO, under the inbox's lock */

static void append(struct inbox *inbox, struct event *event) {
    event->next = NULL;
    event->previous = inbox->last;
    *(inbox->last ? &inbox->last->next : &inbox->first) = event;
    inbox->last = event;

    struct inbox_statistics *statistics = &inbox->statistics;
    statistics->buffered++;
    statistics->buffered_bytes += event->cost;
    if (statistics->buffered_bytes > statistics->peak_bytes) {
        statistics->peak_bytes = statistics->buffered_bytes;
    }
    wake(inbox);
}

/* Whether it is taken or dropped, wherever it stands: the books are right afterwards. */
static void unlink_event(struct inbox *inbox, struct event *event) {
    *(event->previous ? &event->previous->next : &inbox->first) = event->next;
    *(event->next ? &event->next->previous : &inbox->last) = event->previous;
    inbox->statistics.buffered--;
    inbox->statistics.buffered_bytes -= event->cost;
    if (event->kind == READY) {
        event->ring->mark = NULL;
        return;
    }
    struct route *route = event->route;
    if (!route) {
        return;
    }
    route->queued[event->bound] -= event->cost;
    if (route->lagged == event) {
        route->lagged = NULL;
    }
    if (event->bound == LOSSY) {
        /* Lossy packets leave in the order they came: by take() from the front of the FIFO, as the oldest of a full route,
         * or all of them when the route ends. */
        route->first_lossy = event->next_lossy;
        if (!route->first_lossy) {
            route->last_lossy = NULL;
        }
    }
}

/* Move all queued events that match into a chain. */
static struct event *purge(struct inbox *inbox, bool (*matches)(const struct event *, const void *), const void *context) {
    struct event *chain = NULL, **tail = &chain;
    for (struct event *event = inbox->first, *next; event; event = next) {
        next = event->next;
        if (matches(event, context)) {
            unlink_event(inbox, event);
            event->next = NULL;
            *tail = event;
            tail = &event->next;
        }
    }
    return chain;
}

/* What is thrown away with its route or its inbox. */
static void count_purged(const struct event *chain) {
    for (; chain; chain = chain->next) {
        if (is_reply(chain->kind)) {
            count(DROPPED_ABANDONED, 1);
        } else if (chain->kind != READY && chain->kind != LAGGED && chain->kind != PANIC) {
            count(DROPPED_UNROUTED, 1);
        }
    }
}

/* READY marks hold their ring, whose last reference may go with them: outside every lock. */
static void release_marks(struct event *chain) {
    for (; chain; chain = chain->next) {
        if (chain->kind == READY) {
            ring_release(chain->ring);
            chain->ring = NULL;
        }
    }
}

/* Opening and closing */

struct inbox *inbox_open(descriptor_t read_fd, descriptor_t write_fd) {
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox) {
        return NULL;
    }
    atomic_init(&inbox->references, 2); /* the caller and the registry */
    mutex_init(&inbox->lock);
    inbox->open = true;
    inbox->read_fd = read_fd;
    inbox->write_fd = write_fd;

    mutex_lock(&registry.lock);
    bool entered = registry.owners.size < LAST_OWNER;
    if (entered) {
        uint16_t owner = registry.last_owner;
        do {
            owner = owner == LAST_OWNER ? 1 : (uint16_t)(owner + 1);
        } while (map_get(&registry.owners, owner));
        inbox->owner = owner;
        entered = map_put(&registry.owners, owner, inbox);
    }
    if (entered) {
        registry.last_owner = inbox->owner;
        inbox->older = registry.youngest;
        *(registry.youngest ? &registry.youngest->younger : &registry.oldest) = inbox;
        registry.youngest = inbox;
    }
    mutex_unlock(&registry.lock);
    if (!entered) {
        mutex_destroy(&inbox->lock);
        free(inbox);
        return NULL;
    }
    descriptor_set_nonblocking(read_fd);
    descriptor_set_nonblocking(write_fd);
    if (logs_waiting()) {
        inbox_wake_oldest();
    }
    return inbox;
}

struct closing {
    struct inbox *inbox;
    struct route *routes;
};

static bool take_route(void *value, void *context) {
    struct route *route = value;
    struct closing *closing = context;
    if (route->inbox != closing->inbox) {
        return false;
    }
    route->next = closing->routes;
    closing->routes = route;
    return true;
}

static bool always(const struct event *event, const void *context) {
    (void)event, (void)context;
    return true;
}

/* Out of the registry first, so that nothing new comes; a callback that is under way finds `closed`. */
void inbox_close(struct inbox *inbox) {
    struct closing closing = {inbox, NULL};
    mutex_lock(&registry.lock);
    if (!inbox->open) {
        mutex_unlock(&registry.lock);
        return;
    }
    inbox->open = false;
    map_remove(&registry.owners, inbox->owner);
    *(inbox->older ? &inbox->older->younger : &registry.oldest) = inbox->younger;
    *(inbox->younger ? &inbox->younger->older : &registry.youngest) = inbox->older;
    map_sweep(&registry.routes, take_route, &closing);
    mutex_unlock(&registry.lock);

    mutex_lock(&inbox->lock);
    inbox->closed = true;
    struct event *chain = purge(inbox, always, NULL);
    map_clear(&inbox->abandoned);
    descriptor_close(inbox->read_fd);
    if (inbox->write_fd != inbox->read_fd) {
        descriptor_close(inbox->write_fd);
    }
    mutex_unlock(&inbox->lock);

    while (closing.routes) {
        struct route *route = closing.routes;
        closing.routes = route->next;
        route_release(route);
    }
    rings_close(inbox);
    count_purged(chain);
    release_marks(chain);
    events_dispose(chain);
    if (logs_waiting()) {
        inbox_wake_oldest(); /* the wake that this inbox had for them is gone */
    }
    inbox_release(inbox); /* the registry's */
}

uint16_t inbox_owner(const struct inbox *inbox) { return inbox->owner; }

bool inbox_fileno(struct inbox *inbox, descriptor_t *fd) {
    mutex_lock(&inbox->lock);
    bool open = !inbox->closed;
    *fd = inbox->read_fd;
    mutex_unlock(&inbox->lock);
    return open;
}

void inbox_statistics(struct inbox *inbox, struct inbox_statistics *statistics) {
    mutex_lock(&inbox->lock);
    *statistics = inbox->statistics;
    mutex_unlock(&inbox->lock);
}

/* Taking */

struct event *inbox_take(struct inbox *inbox, size_t limit, size_t *count) {
    struct event *chain = NULL, **tail = &chain;
    *count = 0;
    mutex_lock(&inbox->lock);
    while (inbox->first && *count < limit) {
        struct event *event = inbox->first;
        unlink_event(inbox, event);
        event->next = NULL;
        *tail = event;
        tail = &event->next;
        ++*count;
    }
    if (!inbox->first && !inbox->closed) {
        clear_wake(inbox);
    }
    inbox->statistics.taken += *count;
    inbox->statistics.batches += *count != 0;
    mutex_unlock(&inbox->lock);

    for (struct event *event = chain; event; event = event->next) {
        if (event->kind == LAGGED) {
            event->size = (size_t)snprintf((char *)event->payload, LAGGED_DIGITS, "%" PRIu64, event->lost);
        }
    }
    release_marks(chain);
    return chain;
}

/* Routes */

enum outcome inbox_route(struct inbox *inbox, uint64_t key, uint64_t lossy_limit, uint64_t reliable_limit, bool raw_streams) {
    struct route *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        return NO_MEMORY;
    }
    atomic_init(&fresh->references, 1); /* the registry */
    fresh->key = key;
    fresh->inbox = inbox;

    enum outcome outcome = DONE;
    mutex_lock(&registry.lock);
    struct route *route = map_get(&registry.routes, key);
    if (!inbox->open) {
        outcome = CLOSED;
    } else if (route) {
        outcome = route->inbox == inbox ? DONE : TAKEN;
    } else if (map_put(&registry.routes, key, fresh)) {
        route = fresh;
        inbox_keep(inbox);
    } else {
        outcome = NO_MEMORY;
    }
    if (outcome == DONE) {
        atomic_store(&route->raw_streams, raw_streams);
        mutex_lock(&inbox->lock);
        route->limit[LOSSY] = lossy_limit;
        route->limit[RELIABLE] = reliable_limit;
        mutex_unlock(&inbox->lock);
    }
    mutex_unlock(&registry.lock);
    if (route != fresh) {
        free(fresh);
    }
    return outcome;
}

static bool event_is_of(const struct event *event, const void *route) {
    return event->kind != READY && event->route == route;
}

void inbox_unroute(struct inbox *inbox, uint64_t key) {
    mutex_lock(&registry.lock);
    struct route *route = map_get(&registry.routes, key);
    if (route && route->inbox == inbox) {
        map_remove(&registry.routes, key);
    } else {
        route = NULL;
    }
    mutex_unlock(&registry.lock);
    if (!route) {
        return;
    }
    mutex_lock(&inbox->lock);
    route->ended = true;
    struct event *chain = purge(inbox, event_is_of, route);
    mutex_unlock(&inbox->lock);
    count_purged(chain);
    events_dispose(chain);
    route_release(route);
}

/* Delivering, on a native thread. Nothing is allocated, freed, dropped or requested under a lock. */

static bool is_raw_stream(const struct arrival *arrival) {
    return arrival->kind == ROOM_EVENT && arrival->detail >= STREAM_HEADER_RECEIVED && arrival->detail <= STREAM_TRAILER_RECEIVED;
}

/* DataPacketReceived: kind = 1 (0 lossy, 1 reliable), user = 4 { data = 1 { data = 2 { data_len = 2 } } }. Without `user` it is
 * a DTMF tone, a few bytes that nobody sends in a flood. */
static void measure_packet(struct wire packet, struct event *event) {
    struct field kind, field;
    if (!wire_find(packet, 4, WIRE_BYTES, &field)) {
        return;
    }
    event->bound = wire_find(packet, 1, WIRE_VARINT, &kind) && kind.value == 0 ? LOSSY : RELIABLE;
    if (wire_find(field.bytes, 1, WIRE_BYTES, &field) && wire_find(field.bytes, 2, WIRE_BYTES, &field) &&
        wire_find(field.bytes, 2, WIRE_VARINT, &field)) {
        event->cost += (size_t)field.value;
    }
}

static void measure(const struct arrival *arrival, struct event *event) {
    struct field field;
    if (arrival->kind == ROOM_EVENT) {
        if (arrival->detail == DATA_PACKET_RECEIVED) {
            measure_packet(arrival->inside, event);
        }
    } else if (arrival->kind == BYTE_STREAM_READER_EVENT || arrival->kind == TEXT_STREAM_READER_EVENT) {
        event->bound = wire_find(arrival->payload, 2, WIRE_BYTES, &field) ? RELIABLE : UNBOUNDED; /* chunk_received */
    }
}

/* Make room for a lossy packet by unlinking older ones, which are returned; the packet itself if it can never fit. */
static struct event *append_lossy(struct route *route, struct event *event) {
    struct inbox *inbox = route->inbox;
    if (event->cost > route->limit[LOSSY]) {
        return event;
    }
    struct event *victims = NULL, **tail = &victims;
    while (route->queued[LOSSY] + event->cost > route->limit[LOSSY]) {
        struct event *oldest = route->first_lossy;
        unlink_event(inbox, oldest);
        oldest->next = NULL;
        *tail = oldest;
        tail = &oldest->next;
    }
    route->queued[LOSSY] += event->cost;
    *(route->last_lossy ? &route->last_lossy->next_lossy : &route->first_lossy) = event;
    route->last_lossy = event;
    append(inbox, event);
    return victims;
}

/* Append, or leave a LAGGED mark in its place. Returns the event if it was dropped. */
static struct event *append_reliable(struct route *route, struct event *event) {
    struct inbox *inbox = route->inbox;
    if (route->queued[RELIABLE] + event->cost <= route->limit[RELIABLE]) {
        route->queued[RELIABLE] += event->cost;
        route->lagged = NULL;
        append(inbox, event);
        return NULL;
    }
    inbox->statistics.dropped_reliable++;
    if (!route->lagged) {
        route->lagged = event_allocate(LAGGED, route->key, event->stamp, LAGGED_DIGITS);
        if (!route->lagged) {
            return event;
        }
        route->lagged->route = route;
        append(inbox, route->lagged);
    }
    route->lagged->lost++;
    return event;
}

static struct event *append_bounded(struct route *route, struct event *event) {
    struct event *dropped = NULL;
    event->route = route;
    switch (event->bound) {
    case LOSSY:
        dropped = append_lossy(route, event);
        for (const struct event *victim = dropped; victim; victim = victim->next) {
            route->inbox->statistics.dropped_lossy++;
        }
        return dropped;
    case RELIABLE:
        return append_reliable(route, event);
    default:
        append(route->inbox, event);
        return NULL;
    }
}

static struct route *find_route(uint64_t key) {
    mutex_lock(&registry.lock);
    struct route *route = map_get(&registry.routes, key);
    if (route) {
        atomic_fetch_add_explicit(&route->references, 1, memory_order_relaxed);
    }
    mutex_unlock(&registry.lock);
    return route;
}

static void drop_arrival(const struct arrival *arrival, enum counter counter) {
    count(counter, 1);
    dispose_payload(arrival->kind, arrival->payload);
}

static void deliver_by_route(struct route *route, const struct arrival *arrival) {
    if (is_raw_stream(arrival) && !atomic_load_explicit(&route->raw_streams, memory_order_relaxed)) {
        drop_arrival(arrival, DROPPED_RAW);
        return;
    }
    struct event *event = event_new(arrival);
    if (!event) {
        drop_arrival(arrival, DROPPED_UNROUTED);
        return;
    }
    measure(arrival, event);

    struct inbox *inbox = route->inbox;
    struct event *dropped = NULL;
    mutex_lock(&inbox->lock);
    bool ended = inbox->closed || route->ended;
    if (!ended) {
        dropped = append_bounded(route, event);
    }
    mutex_unlock(&inbox->lock);
    if (ended) {
        count(DROPPED_UNROUTED, 1);
        dropped = event;
    }
    events_dispose(dropped);
}

void inbox_deliver_routed(const struct arrival *arrival) {
    struct route *route = find_route(arrival->key);
    if (!route) {
        drop_arrival(arrival, DROPPED_UNROUTED);
        return;
    }
    deliver_by_route(route, arrival);
    route_release(route);
}

static struct inbox *find_inbox(uint64_t owner) {
    mutex_lock(&registry.lock);
    struct inbox *inbox = map_get(&registry.owners, owner);
    if (inbox) {
        inbox_keep(inbox);
    }
    mutex_unlock(&registry.lock);
    return inbox;
}

void inbox_deliver_reply(const struct arrival *arrival) {
    struct inbox *inbox = find_inbox(arrival->key >> OWNER_SHIFT);
    if (!inbox) {
        drop_arrival(arrival, DROPPED_ABANDONED);
        return;
    }
    struct event *event = event_new(arrival);
    mutex_lock(&inbox->lock);
    bool wanted = event && !inbox->closed && !map_remove(&inbox->abandoned, arrival->key);
    if (wanted) {
        append(inbox, event);
    }
    mutex_unlock(&inbox->lock);
    if (!wanted) {
        drop_arrival(arrival, DROPPED_ABANDONED);
        free(event);
    }
    inbox_release(inbox);
}

/* To every loop: a panic is the end of all of them. */
void inbox_deliver_panic(const struct arrival *arrival) {
    mutex_lock(&registry.lock);
    for (struct inbox *inbox = registry.oldest; inbox; inbox = inbox->younger) {
        struct event *event = event_new(arrival);
        mutex_lock(&inbox->lock);
        if (event) {
            append(inbox, event);
        }
        mutex_unlock(&inbox->lock);
    }
    mutex_unlock(&registry.lock);
}

/* A frame is announced once until the ring has been found empty; it may have been, while its READY still waits to be taken. */
void inbox_mark_ready(struct inbox *inbox, struct ring *ring, int64_t stamp) {
    struct event *mark = event_allocate(READY, ring->key, stamp, 0);
    if (!mark) {
        return;
    }
    mark->ring = ring;
    mutex_lock(&inbox->lock);
    bool needed = !inbox->closed && !ring->mark;
    if (needed) {
        ring_keep(ring);
        ring->mark = mark;
        append(inbox, mark);
    }
    mutex_unlock(&inbox->lock);
    if (!needed) {
        free(mark);
    }
}

void inbox_unmark(struct inbox *inbox, struct ring *ring) {
    mutex_lock(&inbox->lock);
    struct event *mark = ring->mark;
    if (mark) {
        unlink_event(inbox, mark);
    }
    mutex_unlock(&inbox->lock);
    if (mark) {
        ring_release(ring);
        free(mark);
    }
}

void inbox_wake_oldest(void) {
    mutex_lock(&registry.lock);
    struct inbox *inbox = registry.oldest;
    if (inbox) {
        mutex_lock(&inbox->lock);
        wake(inbox);
        mutex_unlock(&inbox->lock);
    }
    mutex_unlock(&registry.lock);
}

/* Abandoning */

static bool event_is_reply_to(const struct event *event, const void *async_id) {
    return is_reply(event->kind) && event->key == *(const uint64_t *)async_id;
}

bool inbox_abandon(struct inbox *inbox, uint64_t async_id) {
    bool remembered = true;
    mutex_lock(&inbox->lock);
    struct event *reply = purge(inbox, event_is_reply_to, &async_id);
    if (!reply && !inbox->closed) {
        remembered = map_put(&inbox->abandoned, async_id, inbox);
    }
    mutex_unlock(&inbox->lock);
    count_purged(reply);
    events_dispose(reply);
    return remembered;
}
