/* The bridge under many threads at once: native ones that emit everything to everybody, loops that come and go, and one loop that
 * stays and must see every event that is its, in order, having been woken for it. Afterwards nothing is left: no handle, no
 * descriptor, no byte in a descriptor that was closed.
 *
 * The argument is how many events each native thread emits.
 */

#include "support.h"

#include <dirent.h>
#include <stdatomic.h>

enum {
    EMITTERS = 3,
    LOOPS = 2,
    STABLE_ROOM = 1,
    FIRST_SHARED = 100, /* handles that the loops fight for */
    SHARED = 8,
    PATIENCE_MS = 20000,
};

static uint64_t events_each = 100000;
static atomic_uint_fast64_t owners[LOOPS];  /* of the loops that come and go */
static atomic_uint_fast64_t streams[LOOPS]; /* what they have rings for */
static atomic_bool finished;

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Native threads */

static void emit_something(uint32_t *random, struct inbox *stable) {
    uint32_t which = next_random(random) % 12, loop = next_random(random) % LOOPS, n = next_random(random);
    uint64_t shared = FIRST_SHARED + n % SHARED, id = atomic_load(&owners[loop]) << 48 | (n % 64 + 1);
    uint64_t handles[5];
    switch (which) {
    case 0:
        emit(reply(14, id));
        break;
    case 1:
        for (int i = 0; i < 5; i++) {
            handles[i] = fake_new_handle(16);
        }
        emit(connected(id, handles));
        break;
    case 2:
        emit(nest(9, join(number(1, id), nest(3, owned(fake_new_handle(16))))));
        break;
    case 3:
        emit(data_packet(shared, LOSSY_PACKET, fake_new_handle(64), 0, 64));
        break;
    case 4:
        emit(data_packet(shared, RELIABLE_PACKET, fake_new_handle(64), 0, 64));
        break;
    case 5:
        emit(chunk(shared, 500));
        break;
    case 6:
        emit(state_event(shared, n));
        break;
    case 7:
        emit(nest(18, log_record(n % 2, "a record")));
        break;
    case 8:
        emit(data_packet(STABLE_ROOM, LOSSY_PACKET, fake_new_handle(64), 0, 64));
        break;
    case 9:
        CHECK(inbox_abandon(stable, async_id_of(stable, n % 1000 + 1)));
        emit(nest(9, join(number(1, async_id_of(stable, n % 1000 + 1)), nest(3, owned(fake_new_handle(16))))));
        break;
    default:
        emit(frame(atomic_load(&streams[loop]), fake_new_handle(64)));
        break;
    }
}

struct emitter {
    uint64_t index;
    struct inbox *stable;
};

static void *emitter_main(void *context) {
    const struct emitter *emitter = context;
    uint32_t random = (uint32_t)emitter->index + 1;
    for (uint64_t i = 0; i < events_each; i++) {
        emit_something(&random, emitter->stable);
        emit(state_event(STABLE_ROOM, emitter->index << 32 | i));
    }
    return NULL;
}

/* Loops that come and go */

static void free_some_logs(void) {
    size_t count;
    for (struct record *record = core_take_logs(&count), *next; record; record = next) {
        next = record->next;
        free(record);
    }
}

static void read_ring(struct ring *ring) {
    struct event *event;
    while ((event = ring_take(ring))) {
        event->next = NULL;
        events_dispose(event);
    }
}

static void end_ring(struct ring *ring) {
    uint64_t stream = ring_key(ring);
    ring_close(ring);
    ring_release(ring);
    CHECK(core_drop(stream));
}

static struct inbox *open_some_inbox(uint32_t *random) {
    int fds[2];
    if (next_random(random) % 2) {
        return open_inbox();
    }
    CHECK(pipe(fds) == 0);
    struct inbox *inbox = inbox_open(fds[0], fds[1]);
    CHECK(inbox);
    return inbox;
}

static struct ring *open_some_ring(struct inbox *inbox, uint32_t *random) {
    struct message request = open_stream_request();
    struct opening opening;
    CHECK_EQUAL(ring_open(inbox, request.data, request.size, 1 + next_random(random) % 5, &opening), DONE);
    CHECK(core_drop(opening.response_handle));
    return opening.ring;
}

static void live_a_while(struct inbox *inbox, struct ring *ring, uint32_t *random) {
    for (int step = 0; step < 30; step++) {
        uint32_t n = next_random(random);
        size_t count;
        switch (n % 5) {
        case 0:
            inbox_unroute(inbox, FIRST_SHARED + n / 5 % SHARED);
            break;
        case 1:
            CHECK(inbox_abandon(inbox, async_id_of(inbox, n / 5 % 64 + 1)));
            break;
        case 2:
            read_ring(ring);
            break;
        case 3:
            inbox_route(inbox, FIRST_SHARED + n / 5 % SHARED, 500, 500, n / 5 % 2);
            break;
        default:
            events_dispose(inbox_take(inbox, n / 5 % 20, &count));
            free_some_logs();
            break;
        }
    }
}

/* Descriptors with the numbers of those just closed: nobody may write into them. */
static void check_nobody_writes(void) {
    int fds[2];
    CHECK(pipe(fds) == 0);
    struct pollfd canary = {.fd = fds[0], .events = POLLIN};
    CHECK(poll(&canary, 1, 1) == 0);
    close(fds[0]);
    close(fds[1]);
}

static void *loop_main(void *context) {
    uint32_t loop = *(const uint32_t *)context, random = loop + 100;
    while (!atomic_load(&finished)) {
        struct inbox *inbox = open_some_inbox(&random);
        atomic_store(&owners[loop], inbox_owner(inbox));
        struct ring *ring = open_some_ring(inbox, &random);
        atomic_store(&streams[loop], ring_key(ring));
        live_a_while(inbox, ring, &random);
        if (next_random(&random) % 2) {
            end_ring(ring);
            end_inbox(inbox);
        } else {
            end_inbox(inbox);
            end_ring(ring);
        }
        check_nobody_writes();
    }
    return NULL;
}

/* The loop that stays */

static void watch(struct inbox *stable) {
    uint64_t expected[EMITTERS] = {0}, seen = 0;
    while (seen < EMITTERS * events_each) {
        struct pollfd waiting = {.events = POLLIN};
        CHECK(inbox_fileno(stable, &waiting.fd));
        CHECK(poll(&waiting, 1, PATIENCE_MS) == 1); /* else a wake has been lost */
        size_t count;
        struct event *events = inbox_take(stable, 64, &count);
        for (struct event *event = events; event; event = event->next) {
            struct field field;
            struct wire payload = wire_of(event->payload, event->size);
            if (event->kind != 1 || !wire_find(payload, 12, WIRE_BYTES, &field)) {
                continue;
            }
            CHECK(wire_find(field.bytes, 15, WIRE_VARINT, &field));
            CHECK_EQUAL(field.value & UINT32_MAX, expected[field.value >> 32]);
            expected[field.value >> 32]++;
            seen++;
        }
        events_dispose(events);
        free_some_logs();
    }
}

static size_t open_descriptors(void) {
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory);
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

static bool all_happened(void) {
    return counted(UNDONE_JOINS) && counted(DROPPED_FRAMES) && counted(DROPPED_ABANDONED) && counted(DROPPED_UNROUTED);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        events_each = strtoull(argv[1], NULL, 10);
    }
    load_fake();
    size_t descriptors = open_descriptors();
    struct inbox *stable = open_inbox();
    CHECK_EQUAL(inbox_route(stable, STABLE_ROOM, 10000, 10000, false), DONE);

    pthread_t emitters[EMITTERS], loops[LOOPS];
    struct emitter orders[EMITTERS];
    uint32_t numbers[LOOPS];
    for (uint32_t i = 0; i < LOOPS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&loops[i], NULL, loop_main, &numbers[i]) == 0);
    }
    /* Once, unless the threads took turns so that something did not happen. */
    for (int rounds = 0; !rounds || (rounds < 20 && !all_happened()); rounds++) {
        for (uint64_t i = 0; i < EMITTERS; i++) {
            orders[i] = (struct emitter){i, stable};
            CHECK(pthread_create(&emitters[i], NULL, emitter_main, &orders[i]) == 0);
        }
        watch(stable);
        for (int i = 0; i < EMITTERS; i++) {
            CHECK(pthread_join(emitters[i], NULL) == 0);
        }
    }
    atomic_store(&finished, true);
    for (int i = 0; i < LOOPS; i++) {
        CHECK(pthread_join(loops[i], NULL) == 0);
    }
    end_inbox(stable);
    free_some_logs();
    CHECK_EQUAL(fake_live_handles(), 0);
    CHECK_EQUAL(fake_false_drops(), 0);
    CHECK_EQUAL(open_descriptors(), descriptors);
    CHECK(counted(CALLBACKS) >= 2 * EMITTERS * events_each - EMITTERS);
    CHECK(all_happened());
    CHECK_EQUAL(counted(MALFORMED), 0);
    fake_forget_requests();
    return 0;
}
