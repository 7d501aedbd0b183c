/* The FIFO of an inbox and the wake descriptor that goes with it; all under the lock of the inbox. core.c has the theory of operation. */

#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct event *event_allocate(uint32_t kind, uint64_t key, int64_t stamp, size_t size) {
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
        event->bound = (uint8_t)arrival->bound;
        event->cost = arrival->bound == UNBOUNDED ? size : arrival->cost;
    }
    return event;
}

/* The wake descriptor: touched only under the inbox's lock, so that a late callback never writes into somebody else's. */

void fifo_wake(struct inbox *inbox) {
    if (!inbox->awake) {
        static const uint64_t one = 1;
        /* An eventfd takes eight bytes. A pipe gets a single one, and there is never a second before the first is read. */
        inbox->awake = descriptor_write(inbox->write_fd, &one, inbox->read_fd == inbox->write_fd ? 8 : 1);
    }
}

void fifo_settle(struct inbox *inbox) {
    if (inbox->awake && !inbox->first && !inbox->called) {
        uint64_t ignored;
        inbox->awake = !descriptor_read(inbox->read_fd, &ignored, sizeof ignored);
    }
}

void fifo_append(struct inbox *inbox, struct event *event) {
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
    fifo_wake(inbox);
}

void fifo_unlink(struct inbox *inbox, struct event *event) {
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

struct event *fifo_purge(struct inbox *inbox, bool (*matches)(const struct event *, const void *), const void *context) {
    struct event *chain = NULL, **tail = &chain;
    for (struct event *event = inbox->first, *next; event; event = next) {
        next = event->next;
        if (matches(event, context)) {
            fifo_unlink(inbox, event);
            event->next = NULL;
            *tail = event;
            tail = &event->next;
        }
    }
    return chain;
}
