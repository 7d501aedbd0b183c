/* The callback, and what there is once in a process.
 *
 * Theory of operation
 * -------------------
 *
 * The library calls on_event() from threads of its own, several at once: tokio workers, WebRTC's audio and network threads, a
 * logging thread. These threads carry media; so the callback copies, appends and wakes, and never waits for Python. It takes no
 * GIL, calls nothing of Python's, logs nothing.
 *
 *     on_event ─► kind, key ─┬─ media ────────► ring of the stream ── READY mark ─┐
 *                            ├─ handle-keyed ─► route of the handle ──────────────┼─► FIFO of the inbox ─► take(), loop's thread
 *                            ├─ reply ────────► inbox of the id's owner ──────────┘
 *                            ├─ logs ─────────► the list of records ─► take_logs(), whichever loop is woken for it
 *                            └─ panic ────────► every inbox
 *
 * What finds nobody is disposed of on the spot: a join is undone, handles are dropped, and it is counted. The same happens to
 * what a full bound pushes out, to abandoned replies, and to everything queued when a route, a ring or an inbox ends.
 *
 * Who owns what. The bytes of an event are the library's until the callback returns; an `event` is a copy, freed by whoever takes
 * it off a list. The native handles that an event carries belong to whoever holds the event: the bridge until take(), Python
 * afterwards. Inboxes, routes and rings are counted by reference, apart from the Python objects that stand for them: the Python
 * object has one, the registry one while it can be found there, and a callback one while it delivers. A route and a ring keep
 * their inbox, a READY mark keeps its ring. So Python objects may die in any order, on any thread, while callbacks are under way;
 * the first to close takes the thing out of the registry, sets `closed` or `ended` under its lock, and a callback that found it
 * a moment earlier sees that and disposes of its event.
 *
 * Locks, in this order: `registry.lock`, then one inbox's or one ring's, never both of these; the lock of the logs stands alone.
 * Under a lock nothing native is called (dropping and requesting may call back on the same thread), and no GIL is waited for:
 * Python's threads may take a lock with the GIL held, since no holder of a lock ever needs the GIL.
 *
 * At interpreter exit the bridge is silenced: callbacks return at once. In a forked child it is disowned: the locks may be held
 * for ever by threads that exist no more, so that module.c asks core_disowned() before anything that takes one.
 */

#include "internal.h"

struct registry registry = {.lock = MUTEX_INITIALIZER};

/* The first length-delimited field of FfiEvent is the member of its oneof. */
static bool read_arrival(struct wire event, struct arrival *arrival) {
    struct field field;
    do {
        if (!wire_next(&event, &field)) {
            return false;
        }
    } while (field.type != WIRE_BYTES);
    arrival->kind = field.number;
    arrival->payload = field.bytes;
    return field.number < READY; /* from there on kinds are our own */
}

/* Field 1 is the key, of every kind that has one; in a RoomEvent the other field is the member of its oneof. */
static bool read_key(struct arrival *arrival) {
    struct wire payload = arrival->payload;
    struct field field;
    bool found = false;
    while (wire_next(&payload, &field)) {
        if (field.number == 1 && field.type == WIRE_VARINT) {
            arrival->key = field.value;
            found = true;
            if (arrival->kind != ROOM_EVENT) {
                break;
            }
        } else if (field.type == WIRE_BYTES) {
            arrival->detail = field.number;
            arrival->inside = field.bytes;
        }
    }
    return found;
}

static void dispatch(struct arrival *arrival) {
    if (arrival->kind == LOGS) {
        logs_keep(arrival->payload);
    } else if (arrival->kind == PANIC) {
        inbox_deliver_panic(arrival);
    } else if (!read_key(arrival)) {
        drop_arrival(arrival, MALFORMED);
    } else if (arrival->kind == VIDEO_STREAM_EVENT || arrival->kind == AUDIO_STREAM_EVENT) {
        ring_deliver(arrival);
    } else if (is_handle_keyed(arrival->kind)) {
        route_deliver(arrival);
    } else {
        inbox_deliver_reply(arrival);
    }
}

static void on_event(const uint8_t *data, size_t size) {
    if (is_silent()) {
        return;
    }
    int64_t entered = clock_now();
    struct arrival arrival = {.stamp = entered};
    count(CALLBACKS, 1);
    if (read_arrival(wire_of(data, size), &arrival)) {
        dispatch(&arrival);
    } else {
        count(MALFORMED, 1);
    }
    count_duration(clock_now() - entered);
}

bool core_load(struct native library, const char *sdk, const char *version) {
    static atomic_bool loaded;
    if (atomic_exchange(&loaded, true)) {
        return false;
    }
    native = library; /* before the first callback, which comes during initialize() */
    native.initialize(on_event, true, sdk, version);
    return true;
}
