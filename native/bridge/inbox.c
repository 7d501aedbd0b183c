/* Inboxes: opening, closing, taking, and what comes in for no route: replies, marks, panics. core.c has the theory of operation. */

#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OWNER_SHIFT 48
#define LAST_OWNER 65535

/* Lifetimes */

void inbox_keep(struct inbox *inbox) { atomic_fetch_add_explicit(&inbox->references, 1, memory_order_relaxed); }

void inbox_release(struct inbox *inbox) {
    if (atomic_fetch_sub_explicit(&inbox->references, 1, memory_order_acq_rel) == 1) {
        map_clear(&inbox->abandoned);
        mutex_destroy(&inbox->lock);
        free(inbox);
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

static bool always(const struct event *event, const void *context) {
    (void)event, (void)context;
    return true;
}

/* Out of the registry first, so that nothing new comes; a callback that is under way finds `closed`. */
void inbox_close(struct inbox *inbox) {
    mutex_lock(&registry.lock);
    if (!inbox->open) {
        mutex_unlock(&registry.lock);
        return;
    }
    inbox->open = false;
    map_remove(&registry.owners, inbox->owner);
    *(inbox->older ? &inbox->older->younger : &registry.oldest) = inbox->younger;
    *(inbox->younger ? &inbox->younger->older : &registry.youngest) = inbox->older;
    struct route *routes = routes_detach(inbox);
    mutex_unlock(&registry.lock);

    mutex_lock(&inbox->lock);
    inbox->closed = true;
    struct event *chain = fifo_purge(inbox, always, NULL);
    map_clear(&inbox->abandoned);
    descriptor_close(inbox->read_fd);
    if (inbox->write_fd != inbox->read_fd) {
        descriptor_close(inbox->write_fd);
    }
    inbox->awake = false;
    mutex_unlock(&inbox->lock);

    routes_release(routes);
    rings_close(inbox);
    release_marks(chain);
    events_throw_away(chain);
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
        fifo_unlink(inbox, event);
        event->next = NULL;
        *tail = event;
        tail = &event->next;
        ++*count;
    }
    inbox->called = false;
    fifo_settle(inbox);
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

/* Coming in, on a native thread */

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
        fifo_append(inbox, event);
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
            fifo_append(inbox, event);
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
        fifo_append(inbox, mark);
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
        fifo_unlink(inbox, mark);
        fifo_settle(inbox);
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
        inbox->called = true;
        fifo_wake(inbox);
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
    if (async_id >> OWNER_SHIFT != inbox->owner) {
        return true; /* its reply never comes here */
    }
    mutex_lock(&inbox->lock);
    struct event *reply = fifo_purge(inbox, event_is_reply_to, &async_id);
    fifo_settle(inbox);
    if (!reply && !inbox->closed) {
        remembered = map_put(&inbox->abandoned, async_id, inbox);
    }
    mutex_unlock(&inbox->lock);
    events_throw_away(reply);
    return remembered;
}
