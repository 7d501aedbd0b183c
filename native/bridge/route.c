/* Routes: the events of one native handle, with their bounds. core.c has the theory of operation. */

#include "internal.h"

#include <stdlib.h>

enum { DATA_PACKET_RECEIVED = 27, STREAM_HEADER_RECEIVED = 30, STREAM_TRAILER_RECEIVED = 32 }; /* of RoomEvent */

static void route_release(struct route *route) {
    if (atomic_fetch_sub_explicit(&route->references, 1, memory_order_acq_rel) == 1) {
        inbox_release(route->inbox);
        free(route);
    }
}

/* Beginning and ending them */

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
    struct event *chain = fifo_purge(inbox, event_is_of, route);
    fifo_settle(inbox);
    mutex_unlock(&inbox->lock);
    events_throw_away(chain);
    route_release(route);
}

struct closing {
    const struct inbox *inbox;
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

struct route *routes_detach(const struct inbox *inbox) {
    struct closing closing = {inbox, NULL};
    map_sweep(&registry.routes, take_route, &closing);
    return closing.routes;
}

void routes_release(struct route *routes) {
    while (routes) {
        struct route *next = routes->next;
        route_release(routes);
        routes = next;
    }
}

/* Delivering, on a native thread. What is dropped is disposed of when the lock has been let go. */

static bool is_raw_stream(const struct arrival *arrival) {
    return arrival->kind == ROOM_EVENT && arrival->detail >= STREAM_HEADER_RECEIVED && arrival->detail <= STREAM_TRAILER_RECEIVED;
}

/* DataPacketReceived: kind = 1 (0 lossy, 1 reliable), user = 4 { data = 1 { data = 2 { data_len = 2 } } }. Without `user` it is
 * a DTMF tone, a few bytes that nobody sends in a flood. */
static void measure_packet(struct arrival *arrival) {
    struct field kind, field;
    if (!wire_find(arrival->inside, 4, WIRE_BYTES, &field)) {
        return;
    }
    arrival->bound = wire_find(arrival->inside, 1, WIRE_VARINT, &kind) && kind.value == 0 ? LOSSY : RELIABLE;
    if (wire_find(field.bytes, 1, WIRE_BYTES, &field) && wire_find(field.bytes, 2, WIRE_BYTES, &field) &&
        wire_find(field.bytes, 2, WIRE_VARINT, &field)) {
        arrival->cost += (size_t)field.value;
    }
}

static void measure(struct arrival *arrival) {
    struct field field;
    arrival->cost = wire_size(&arrival->payload);
    if (arrival->kind == ROOM_EVENT) {
        if (arrival->detail == DATA_PACKET_RECEIVED) {
            measure_packet(arrival);
        }
    } else if (arrival->kind == BYTE_STREAM_READER_EVENT || arrival->kind == TEXT_STREAM_READER_EVENT) {
        arrival->bound = wire_find(arrival->payload, 2, WIRE_BYTES, &field) ? RELIABLE : UNBOUNDED; /* chunk_received */
    }
}

static bool fits(const struct route *route, enum bound bound, size_t cost) {
    uint64_t limit = route->limit[bound];
    return cost <= limit && route->queued[bound] <= limit - cost;
}

/* Make room for a lossy packet by unlinking older ones, which are returned; the packet itself if it can never fit. */
static struct event *append_lossy(struct route *route, struct event *event) {
    struct inbox *inbox = route->inbox;
    struct event *victims = NULL, **tail = &victims;
    if (event->cost > route->limit[LOSSY]) {
        inbox->statistics.dropped_lossy++;
        return event;
    }
    while (!fits(route, LOSSY, event->cost)) {
        struct event *oldest = route->first_lossy;
        fifo_unlink(inbox, oldest);
        inbox->statistics.dropped_lossy++;
        oldest->next = NULL;
        *tail = oldest;
        tail = &oldest->next;
    }
    route->queued[LOSSY] += event->cost;
    *(route->last_lossy ? &route->last_lossy->next_lossy : &route->first_lossy) = event;
    route->last_lossy = event;
    fifo_append(inbox, event);
    return victims;
}

/* Something reliable has no room: leave a LAGGED mark in its place. */
static void lose(struct route *route, int64_t stamp) {
    route->inbox->statistics.dropped_reliable++;
    if (!route->lagged) {
        route->lagged = event_allocate(LAGGED, route->key, stamp, LAGGED_DIGITS);
        if (!route->lagged) {
            return;
        }
        route->lagged->route = route;
        fifo_append(route->inbox, route->lagged);
    }
    route->lagged->lost++;
}

/* Returns the event if it was dropped. */
static struct event *append_reliable(struct route *route, struct event *event) {
    if (!fits(route, RELIABLE, event->cost)) {
        lose(route, event->stamp);
        return event;
    }
    route->queued[RELIABLE] += event->cost;
    route->lagged = NULL;
    fifo_append(route->inbox, event);
    return NULL;
}

static struct event *append_bounded(struct route *route, struct event *event) {
    event->route = route;
    switch (event->bound) {
    case LOSSY:
        return append_lossy(route, event);
    case RELIABLE:
        return append_reliable(route, event);
    default:
        fifo_append(route->inbox, event);
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

/* Under a flood most of what comes is lost; then it is not even copied. */
static bool lose_uncopied(struct route *route, const struct arrival *arrival) {
    struct inbox *inbox = route->inbox;
    mutex_lock(&inbox->lock);
    bool lost = !inbox->closed && !route->ended && !fits(route, RELIABLE, arrival->cost);
    if (lost) {
        lose(route, arrival->stamp);
    }
    mutex_unlock(&inbox->lock);
    return lost;
}

static void deliver_by_route(struct route *route, struct arrival *arrival) {
    if (is_raw_stream(arrival) && !atomic_load_explicit(&route->raw_streams, memory_order_relaxed)) {
        drop_arrival(arrival, DROPPED_RAW);
        return;
    }
    measure(arrival);
    if (arrival->bound == RELIABLE && lose_uncopied(route, arrival)) {
        dispose_payload(arrival->kind, arrival->payload);
        return;
    }
    struct event *event = event_new(arrival);
    if (!event) {
        drop_arrival(arrival, DROPPED_UNROUTED);
        return;
    }
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

void route_deliver(struct arrival *arrival) {
    struct route *route = find_route(arrival->key);
    if (!route) {
        drop_arrival(arrival, DROPPED_UNROUTED);
        return;
    }
    deliver_by_route(route, arrival);
    route_release(route);
}
