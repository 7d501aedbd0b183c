/* The native library as the bridge uses it: its entry points, what is counted, and giving back what nobody wants. */

#include "internal.h"

#include <stdlib.h>

#include "handle_paths.h"

struct native native;

static atomic_bool silent;
static atomic_bool disowned;
static atomic_uint_fast64_t counters[COUNTERS];

bool is_silent(void) { return atomic_load_explicit(&silent, memory_order_relaxed); }

void core_silence(void) { atomic_store(&silent, true); }

void core_disown(void) {
    atomic_store(&disowned, true);
    atomic_store(&silent, true);
}

bool core_disowned(void) { return atomic_load_explicit(&disowned, memory_order_relaxed); }

void count(enum counter counter, uint64_t amount) {
    atomic_fetch_add_explicit(&counters[counter], amount, memory_order_relaxed);
}

void count_duration(int64_t nanoseconds) {
    uint_fast64_t longest = atomic_load_explicit(&counters[CALLBACK_MAX_NS], memory_order_relaxed);
    while ((uint_fast64_t)nanoseconds > longest &&
           !atomic_compare_exchange_weak_explicit(&counters[CALLBACK_MAX_NS], &longest, (uint_fast64_t)nanoseconds,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void core_statistics(uint64_t values[COUNTERS]) {
    for (int i = 0; i < COUNTERS; i++) {
        values[i] = atomic_load_explicit(&counters[i], memory_order_relaxed);
    }
}

uint64_t core_request(const uint8_t *data, size_t size, const uint8_t **response, size_t *response_size) {
    *response = NULL;
    *response_size = 0;
    return native.request(data, size, response, response_size);
}

bool core_drop(uint64_t handle) { return !is_silent() && native.drop(handle); }

/* Handles */

typedef bool (*handle_visitor)(uint64_t handle, void *context);

/* Call *visit* with the number at the end of *path*, once for each of them: fields on the way may be repeated. True: it said stop. */
static bool visit_path(struct wire message, const uint8_t *path, handle_visitor visit, void *context) {
    bool at_the_end = path[1] == 0;
    struct field field;
    while (wire_next(&message, &field)) {
        if (field.number != path[0] || field.type != (at_the_end ? WIRE_VARINT : WIRE_BYTES)) {
            continue;
        }
        if (at_the_end ? visit(field.value, context) : visit_path(field.bytes, path + 1, visit, context)) {
            return true;
        }
    }
    return false;
}

static bool drop_visited(uint64_t handle, void *context) {
    (void)context;
    core_drop(handle);
    return false;
}

static bool keep_visited(uint64_t handle, void *context) {
    *(uint64_t *)context = handle;
    return true;
}

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void drop_handles(uint32_t kind, struct wire payload) {
    for (size_t i = 0; i < LENGTH(EVENT_HANDLE_PATHS); i++) {
        if (EVENT_HANDLE_PATHS[i][0] == kind) {
            visit_path(payload, EVENT_HANDLE_PATHS[i] + 1, drop_visited, NULL);
        }
    }
}

uint64_t response_handle(struct wire response) {
    uint64_t handle = 0;
    for (size_t i = 0; i < LENGTH(RESPONSE_HANDLE_PATHS) && !handle; i++) {
        visit_path(response, RESPONSE_HANDLE_PATHS[i], keep_visited, &handle);
    }
    return handle;
}

/* Undoing a join */

enum {
    REQUEST_DISCONNECT = 4,            /* FfiRequest.disconnect */
    REQUEST_READY_FOR_ROOM_EVENT = 83, /* FfiRequest.ready_for_room_event */
    DISCONNECT_ROOM_HANDLE = 1,
    DISCONNECT_ASYNC_ID = 2,
    READY_ROOM_HANDLE = 1,
};

static void send_request(uint32_t number, const uint8_t *message, size_t size) {
    uint8_t request[2 * WIRE_VARINT_MAX + 3 * WIRE_VARINT_MAX];
    uint8_t *at = wire_put_varint(request, (uint64_t)number << 3 | WIRE_BYTES);
    at = wire_put_varint(at, size);
    for (size_t i = 0; i < size; i++) {
        *at++ = message[i];
    }
    const uint8_t *response;
    size_t response_size;
    uint64_t handle = core_request(request, (size_t)(at - request), &response, &response_size);
    if (handle) {
        core_drop(handle);
    }
}

/* Ready comes first: without it the native side waits 15 s before it leaves. The disconnect's reply has an async id of owner 0
 * and is dropped like any that nobody waits for. Measured on the real library: 26 us, and the server lists nobody afterwards. */
static void undo_join(uint64_t room) {
    static atomic_uint_fast64_t last_async_id;
    uint8_t message[3 * WIRE_VARINT_MAX];

    uint8_t *at = wire_put_varint(message, READY_ROOM_HANDLE << 3 | WIRE_VARINT);
    at = wire_put_varint(at, room);
    send_request(REQUEST_READY_FOR_ROOM_EVENT, message, (size_t)(at - message));

    at = wire_put_varint(message, DISCONNECT_ROOM_HANDLE << 3 | WIRE_VARINT);
    at = wire_put_varint(at, room);
    at = wire_put_varint(at, DISCONNECT_ASYNC_ID << 3 | WIRE_VARINT);
    at = wire_put_varint(at, atomic_fetch_add(&last_async_id, 1) + 1);
    send_request(REQUEST_DISCONNECT, message, (size_t)(at - message));
    count(UNDONE_JOINS, 1);
}

void dispose_payload(uint32_t kind, struct wire payload) {
    if (is_silent()) {
        return;
    }
    if (kind == CONNECT) {
        static const uint8_t room_path[HANDLE_PATH_MAX] = {3, 1, 1, 1}; /* result.room.handle.id */
        uint64_t room = 0;
        if (visit_path(payload, room_path, keep_visited, &room)) {
            undo_join(room);
        }
    }
    drop_handles(kind, payload);
}

void drop_arrival(const struct arrival *arrival, enum counter counter) {
    count(counter, 1);
    dispose_payload(arrival->kind, arrival->payload);
}

void events_free(struct event *chain) {
    while (chain) {
        struct event *next = chain->next;
        free(chain);
        chain = next;
    }
}

void events_dispose(struct event *chain) {
    for (struct event *event = chain; event; event = event->next) {
        dispose_payload(event->kind, wire_of(event->payload, event->size));
    }
    events_free(chain);
}

void events_throw_away(struct event *chain) {
    for (const struct event *event = chain; event; event = event->next) {
        if (is_reply(event->kind)) {
            count(DROPPED_ABANDONED, 1);
        } else if (event->kind != READY && event->kind != LAGGED && event->kind != PANIC) {
            count(DROPPED_UNROUTED, 1);
        }
    }
    events_dispose(chain);
}
