/* The bridge on one thread: where each event goes, what is dropped, and that everything dropped gives up what it owns. */

#include "support.h"

#include <sys/socket.h>

static const uint64_t UNLIMITED = UINT64_MAX;

static void new_handles(uint64_t *handles, size_t count) {
    for (size_t i = 0; i < count; i++) {
        handles[i] = fake_new_handle(8);
    }
}

static void replies_find_their_inbox(void) {
    struct inbox *one = open_inbox(), *two = open_inbox();
    CHECK(inbox_owner(one) != inbox_owner(two));
    EXPECT_NOTHING(one);

    int64_t before = clock_now();
    emit(reply(14, async_id_of(one, 1)));
    emit(reply(11, async_id_of(two, 1)));
    emit(reply(15, async_id_of(one, 2)));
    CHECK(is_readable(one));

    size_t count;
    struct event *events = inbox_take(one, 10, &count);
    CHECK_EQUAL(count, 2);
    CHECK_EQUAL(events->kind, 14);
    CHECK_EQUAL(events->size, number(1, async_id_of(one, 1)).size);
    CHECK(events->stamp >= before && events->stamp <= events->next->stamp && events->next->stamp <= clock_now());
    CHECK_EQUAL(events->next->key, async_id_of(one, 2));
    events_free(events);
    EXPECT_NOTHING(one);
    EXPECT(two, 11, async_id_of(two, 1));
    EXPECT_NOTHING(two);
    end_inbox(one);
    end_inbox(two);
}

static void wakes_until_empty(int read_fd, int write_fd) {
    struct inbox *inbox = inbox_open(read_fd, write_fd);
    CHECK(inbox);
    for (int round = 0; round < 3; round++) {
        for (uint64_t n = 0; n < 5; n++) {
            emit(reply(14, async_id_of(inbox, n)));
        }
        for (uint64_t n = 0; n < 5; n++) {
            CHECK(is_readable(inbox));
            EXPECT(inbox, 14, async_id_of(inbox, n));
        }
        EXPECT_NOTHING(inbox);
    }
    inbox_close(inbox);
    inbox_close(inbox);
    descriptor_t fd;
    CHECK(!inbox_fileno(inbox, &fd));
    CHECK(!take_one(inbox));
    CHECK(fcntl(read_fd, F_GETFD) < 0 && fcntl(write_fd, F_GETFD) < 0);
    inbox_release(inbox);
}

static void every_kind_of_descriptor_wakes(void) {
    int fds[2], event = eventfd(0, 0);
    wakes_until_empty(event, event);
    CHECK(pipe(fds) == 0);
    wakes_until_empty(fds[0], fds[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    wakes_until_empty(fds[0], fds[1]);
}

/* The request number *index* since fake_forget_requests(), its outer field, and fields 1 and 2 of what is in it. */
static void check_request(size_t index, uint32_t expected, uint64_t room, uint64_t *async_id) {
    uint8_t data[64];
    struct field field, value;
    struct wire request = wire_of(data, fake_request(index, data, sizeof data));
    CHECK(wire_next(&request, &field));
    CHECK_EQUAL(field.number, expected);
    CHECK(wire_find(field.bytes, 1, WIRE_VARINT, &value));
    CHECK_EQUAL(value.value, room);
    *async_id = wire_find(field.bytes, 2, WIRE_VARINT, &value) ? value.value : 0;
}

/* What must have happened to a join that nobody waited for. */
static void check_undone(uint64_t room, uint64_t undone_before, size_t live_before) {
    uint64_t async_id;
    CHECK_EQUAL(fake_requests(), 2);
    check_request(0, 83, room, &async_id);
    check_request(1, 4, room, &async_id);
    CHECK(async_id && async_id >> 48 == 0);
    CHECK_EQUAL(counted(UNDONE_JOINS), undone_before + 1);
    CHECK_EQUAL(fake_live_handles(), live_before);
    uint64_t abandoned = counted(DROPPED_ABANDONED);
    emit(reply(7, async_id));
    CHECK_EQUAL(counted(DROPPED_ABANDONED), abandoned + 1);
}

static void abandoned_joins_are_undone(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    uint64_t handles[5], undone = counted(UNDONE_JOINS);

    new_handles(handles, 5); /* before the reply */
    fake_forget_requests();
    CHECK(inbox_abandon(inbox, async_id_of(inbox, 1)));
    emit(connected(async_id_of(inbox, 1), handles));
    check_undone(handles[0], undone, live);
    EXPECT_NOTHING(inbox);

    new_handles(handles, 5); /* while it is queued */
    fake_forget_requests();
    emit(connected(async_id_of(inbox, 2), handles));
    CHECK_EQUAL(fake_requests(), 0);
    CHECK(inbox_abandon(inbox, async_id_of(inbox, 2)));
    CHECK(!is_readable(inbox));
    check_undone(handles[0], undone + 1, live);
    EXPECT_NOTHING(inbox);

    new_handles(handles, 5); /* queued when the inbox closes */
    fake_forget_requests();
    uint64_t late = async_id_of(inbox, 4);
    emit(connected(async_id_of(inbox, 3), handles));
    end_inbox(inbox);
    check_undone(handles[0], undone + 2, live);

    new_handles(handles, 5); /* long after */
    fake_forget_requests();
    emit(connected(late, handles));
    check_undone(handles[0], undone + 3, live);

    emit(nest(5, join(number(1, late), bytes(2, "refused", 7)))); /* a failed one needs no undoing */
    CHECK_EQUAL(fake_requests(), 2);
    fake_forget_requests();
}

static void abandoned_replies_give_up_their_handles(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    uint64_t abandoned = counted(DROPPED_ABANDONED);
    static const uint32_t kinds[][2] = {{9, 3}, {31, 2}, {37, 2}, {42, 2}, {47, 3}}; /* and the field of their owned message */
    for (uint64_t n = 0; n < 5; n++) {
        uint64_t id = async_id_of(inbox, n + 1);
        CHECK(inbox_abandon(inbox, id));
        emit(nest(kinds[n][0], join(number(1, id), nest(kinds[n][1], owned(fake_new_handle(8))))));
        emit(nest(kinds[n][0], join(number(1, id), nest(kinds[n][1], owned(fake_new_handle(8)))))); /* the id is free again */
        EXPECT(inbox, kinds[n][0], id);
    }
    CHECK_EQUAL(counted(DROPPED_ABANDONED), abandoned + 5);
    CHECK_EQUAL(fake_live_handles(), live);
    end_inbox(inbox);
}

static void what_finds_nobody_is_dropped(void) {
    size_t live = fake_live_handles();
    uint64_t unrouted = counted(DROPPED_UNROUTED), abandoned = counted(DROPPED_ABANDONED);
    emit(data_packet(1234, LOSSY_PACKET, fake_new_handle(8), 0, 8));
    emit(state_event(1234, 1));
    emit(frame(1234, fake_new_handle(8)));
    emit(room_event(1234, 34, nest(1, owned(fake_new_handle(0)))));
    CHECK_EQUAL(counted(DROPPED_UNROUTED), unrouted + 4);
    emit(nest(9, join(number(1, (uint64_t)65535 << 48 | 1), nest(3, owned(fake_new_handle(0))))));
    CHECK_EQUAL(counted(DROPPED_ABANDONED), abandoned + 1);
    CHECK_EQUAL(fake_live_handles(), live);
}

static void routes_carry_and_end(void) {
    struct inbox *inbox = open_inbox(), *other = open_inbox();
    size_t live = fake_live_handles();
    CHECK_EQUAL(inbox_route(inbox, 7, UNLIMITED, UNLIMITED, false), DONE);
    CHECK_EQUAL(inbox_route(other, 7, 0, 0, false), TAKEN);
    CHECK_EQUAL(inbox_route(other, 8, UNLIMITED, UNLIMITED, false), DONE);
    inbox_unroute(other, 7); /* not its own: nothing happens */
    inbox_unroute(other, 999);

    emit(state_event(7, 1));
    emit(state_event(8, 1));
    emit(nest(24, number(1, 7))); /* an RPC invocation */
    EXPECT(inbox, 1, 7);
    EXPECT(inbox, 24, 7);
    EXPECT(other, 1, 8);

    CHECK_EQUAL(inbox_route(inbox, 9, UNLIMITED, UNLIMITED, false), DONE);
    emit(data_packet(7, LOSSY_PACKET, fake_new_handle(8), 0, 8));
    emit(state_event(9, 1));
    emit(data_packet(7, RELIABLE_PACKET, fake_new_handle(8), 0, 8));
    emit(room_event(7, 9, nest(2, owned(fake_new_handle(0)))));
    uint64_t unrouted = counted(DROPPED_UNROUTED);
    inbox_unroute(inbox, 7);
    CHECK_EQUAL(fake_live_handles(), live);
    CHECK_EQUAL(counted(DROPPED_UNROUTED), unrouted + 3);
    EXPECT(inbox, 1, 9);
    EXPECT_NOTHING(inbox);

    emit(state_event(9, 2));
    inbox_unroute(inbox, 9);
    CHECK(!is_readable(inbox)); /* nor does it wake for what is gone */
    EXPECT_NOTHING(inbox);
    emit(state_event(7, 1));
    EXPECT_NOTHING(inbox);

    CHECK_EQUAL(inbox_route(inbox, 7, UNLIMITED, UNLIMITED, false), DONE);
    emit(data_packet(7, LOSSY_PACKET, fake_new_handle(8), 0, 8));
    inbox_close(inbox);
    CHECK_EQUAL(fake_live_handles(), live);
    CHECK_EQUAL(inbox_route(inbox, 7, 0, 0, false), CLOSED);
    inbox_release(inbox);
    end_inbox(other);
}

static void raw_streams_are_for_those_who_ask(void) {
    struct inbox *inbox = open_inbox();
    uint64_t raw = counted(DROPPED_RAW);
    CHECK_EQUAL(inbox_route(inbox, 7, UNLIMITED, UNLIMITED, false), DONE);
    for (uint32_t which = 29; which <= 33; which++) {
        emit(room_event(7, which, number(2, 1)));
    }
    EXPECT(inbox, 1, 7);
    EXPECT(inbox, 1, 7);
    EXPECT_NOTHING(inbox);
    CHECK_EQUAL(counted(DROPPED_RAW), raw + 3);
    CHECK_EQUAL(inbox_route(inbox, 7, UNLIMITED, UNLIMITED, true), DONE);
    for (uint32_t which = 30; which <= 32; which++) {
        emit(room_event(7, which, number(2, 1)));
        EXPECT(inbox, 1, 7);
    }
    CHECK_EQUAL(counted(DROPPED_RAW), raw + 3);
    end_inbox(inbox);
}

static size_t cost_of_packet(size_t length) { return data_packet(7, LOSSY_PACKET, 1, 0, length).size - 2 - 1 + length; }

static void lossy_packets_lose_their_oldest(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles(), cost = cost_of_packet(100);
    uint64_t handles[10];
    struct inbox_statistics statistics;
    CHECK_EQUAL(inbox_route(inbox, 7, 4 * (cost + 8), 0, false), DONE); /* room for four, whatever their handles' sizes */
    emit(state_event(7, 1));
    for (int i = 0; i < 10; i++) {
        handles[i] = fake_new_handle(100);
        emit(data_packet(7, LOSSY_PACKET, handles[i], 0, 100));
    }
    emit(state_event(7, 2));
    inbox_statistics(inbox, &statistics);
    CHECK_EQUAL(statistics.dropped_lossy, 6);
    CHECK_EQUAL(statistics.buffered, 6);
    CHECK(statistics.peak_bytes >= statistics.buffered_bytes && statistics.buffered_bytes > 400);
    CHECK_EQUAL(fake_live_handles(), live + 4);
    CHECK(!fake_memory(handles[5]) && fake_memory(handles[6]));
    for (int i = 0; i < 6; i++) {
        EXPECT(inbox, 1, 7);
    }
    EXPECT_NOTHING(inbox);
    emit(data_packet(7, LOSSY_PACKET, fake_new_handle(8), 0, 100000)); /* will never fit */
    EXPECT_NOTHING(inbox);
    inbox_statistics(inbox, &statistics);
    CHECK_EQUAL(statistics.dropped_lossy, 7);
    CHECK_EQUAL(statistics.buffered_bytes, 0);
    CHECK_EQUAL(fake_live_handles(), live);
    end_inbox(inbox);
}

static void expect_lagged(struct inbox *inbox, const char *lost) {
    struct event *event = take_one(inbox);
    CHECK(event);
    CHECK_EQUAL(event->kind, LAGGED);
    CHECK_EQUAL(event->key, 7);
    CHECK(event->size == strlen(lost) && memcmp(event->payload, lost, event->size) == 0);
    events_free(event);
}

static void reliable_packets_are_lost_loudly(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    struct inbox_statistics statistics;
    CHECK_EQUAL(inbox_route(inbox, 7, 0, 2 * (cost_of_packet(100) + 8), false), DONE);
    for (int i = 0; i < 5; i++) {
        emit(data_packet(7, RELIABLE_PACKET, fake_new_handle(100), 0, 100));
    }
    emit(state_event(7, 1));
    CHECK_EQUAL(fake_live_handles(), live + 2);
    inbox_statistics(inbox, &statistics);
    CHECK_EQUAL(statistics.dropped_reliable, 3);
    EXPECT(inbox, 1, 7);
    emit(data_packet(7, RELIABLE_PACKET, fake_new_handle(100), 0, 100)); /* there is room again */
    emit(data_packet(7, RELIABLE_PACKET, fake_new_handle(100), 0, 100)); /* and again none: lost at another place */
    EXPECT(inbox, 1, 7);
    expect_lagged(inbox, "3");
    EXPECT(inbox, 1, 7);
    EXPECT(inbox, 1, 7);
    expect_lagged(inbox, "1");
    EXPECT_NOTHING(inbox);

    emit(data_packet(7, RELIABLE_PACKET, fake_new_handle(8), 0, UINT64_MAX)); /* a length that would overflow */
    inbox_unroute(inbox, 7);
    EXPECT_NOTHING(inbox); /* the mark goes with the route */
    CHECK_EQUAL(fake_live_handles(), live);
    end_inbox(inbox);
}

static void chunks_are_bounded_and_ends_are_not(void) {
    struct inbox *inbox = open_inbox();
    CHECK_EQUAL(inbox_route(inbox, 7, 0, 3000, false), DONE);
    for (int i = 0; i < 9; i++) {
        emit(chunk(7, 1000));
    }
    emit(reader_end(7));
    EXPECT(inbox, 28, 7);
    EXPECT(inbox, 28, 7);
    expect_lagged(inbox, "7");
    EXPECT(inbox, 28, 7);
    EXPECT_NOTHING(inbox);
    end_inbox(inbox);
}

/* Rings */

static struct ring *open_ring(struct inbox *inbox, size_t capacity) {
    struct message request = open_stream_request();
    struct opening opening = {0};
    CHECK_EQUAL(ring_open(inbox, request.data, request.size, capacity, &opening), DONE);
    CHECK(core_drop(opening.response_handle));
    return opening.ring;
}

static void end_ring(struct ring *ring) {
    uint64_t stream = ring_key(ring);
    ring_close(ring);
    ring_release(ring);
    CHECK(core_drop(stream));
}

static void rings_drop_their_oldest(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    uint64_t handles[10], dropped = counted(DROPPED_FRAMES);
    struct ring_statistics statistics;
    struct ring *ring = open_ring(inbox, 3);
    uint64_t stream = ring_key(ring);
    EXPECT_NOTHING(inbox);
    for (int i = 0; i < 10; i++) {
        handles[i] = fake_new_handle(960);
        emit(frame(stream, handles[i]));
    }
    emit(stream_end(stream));
    emit(frame(stream, fake_new_handle(960))); /* after the end */
    CHECK_EQUAL(counted(DROPPED_FRAMES), dropped + 7);
    CHECK_EQUAL(fake_live_handles(), live + 1 + 3);
    ring_statistics(ring, &statistics);
    CHECK_EQUAL(statistics.received, 10);
    CHECK_EQUAL(statistics.dropped, 7);
    CHECK_EQUAL(statistics.buffered, 3);

    EXPECT(inbox, READY, stream);
    EXPECT_NOTHING(inbox);
    for (uint64_t i = 7; i < 10; i++) {
        struct event *event = ring_take(ring);
        CHECK(event && event->stamp);
        CHECK_EQUAL(event->lost, i == 7 ? 7 : 0);
        CHECK(fake_memory(handles[i]));
        event->next = NULL;
        events_dispose(event);
        CHECK(!fake_memory(handles[i]));
    }
    struct event *end = ring_take(ring);
    CHECK(end);
    CHECK_EQUAL(end->size, stream_end(stream).size - 2);
    events_free(end);
    CHECK(!ring_take(ring));
    emit(frame(stream, fake_new_handle(960)));
    CHECK(!ring_take(ring)); /* nothing comes after the end, taken or not */
    end_ring(ring);
    CHECK_EQUAL(fake_live_handles(), live);
    end_inbox(inbox);
}

static void rings_announce_once_until_found_empty(void) {
    struct inbox *inbox = open_inbox();
    struct ring *ring = open_ring(inbox, 100);
    uint64_t stream = ring_key(ring);
    emit(frame(stream, fake_new_handle(0)));
    emit(frame(stream, fake_new_handle(0)));
    EXPECT(inbox, READY, stream);
    emit(frame(stream, fake_new_handle(0)));
    EXPECT_NOTHING(inbox); /* nobody has read since */
    struct event *event;
    for (int i = 0; i < 3; i++) {
        event = ring_take(ring);
        CHECK(event);
        event->next = NULL;
        events_dispose(event);
    }
    CHECK(!ring_take(ring));
    emit(frame(stream, fake_new_handle(0)));
    event = ring_take(ring); /* read before the mark has been taken */
    CHECK(event);
    event->next = NULL;
    events_dispose(event);
    CHECK(!ring_take(ring));
    emit(frame(stream, fake_new_handle(0)));
    EXPECT(inbox, READY, stream); /* a single one */
    EXPECT_NOTHING(inbox);
    end_ring(ring);
    end_inbox(inbox);
}

static void closing_a_ring_takes_everything_with_it(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    struct ring *ring = open_ring(inbox, 8);
    emit(frame(ring_key(ring), fake_new_handle(960)));
    emit(stream_end(ring_key(ring)));
    ring_close(ring);
    CHECK(!is_readable(inbox));
    EXPECT_NOTHING(inbox);
    emit(frame(ring_key(ring), fake_new_handle(960)));
    CHECK(!ring_take(ring));
    ring_close(ring);
    end_ring(ring);
    CHECK_EQUAL(fake_live_handles(), live);

    ring = open_ring(inbox, 8); /* the inbox first, the ring afterwards */
    emit(frame(ring_key(ring), fake_new_handle(960)));
    emit(stream_end(ring_key(ring)));
    end_inbox(inbox);
    CHECK(!ring_take(ring));
    end_ring(ring);
    CHECK_EQUAL(fake_live_handles(), live);
}

static uint64_t early_stream, foreign_stream, early_frames;

/* Frames come before the response does: those of the new stream, and those of one that nobody has. */
static int emit_early(const uint8_t *request, size_t size) {
    (void)request, (void)size;
    early_stream = fake_new_handle(0);
    for (uint64_t i = 0; i < early_frames; i++) {
        emit(frame(foreign_stream, fake_new_handle(960)));
        emit(frame(early_stream, fake_new_handle(960)));
    }
    struct message response = nest(25, nest(1, owned(early_stream)));
    fake_respond(response.data, response.size);
    return FAKE_RESPONDED;
}

static void no_frame_is_lost_while_a_stream_opens(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    struct ring_statistics statistics;
    foreign_stream = 4321;
    fake_set_handler(emit_early);

    early_frames = 4;
    uint64_t unrouted = counted(DROPPED_UNROUTED);
    struct ring *ring = open_ring(inbox, 16);
    CHECK_EQUAL(ring_key(ring), early_stream);
    ring_statistics(ring, &statistics);
    CHECK_EQUAL(statistics.buffered, 4);
    CHECK_EQUAL(counted(DROPPED_UNROUTED), unrouted + 4);
    EXPECT(inbox, READY, early_stream);
    end_ring(ring);

    early_frames = 1000; /* what is kept meanwhile is bounded */
    ring = open_ring(inbox, 4096);
    ring_statistics(ring, &statistics);
    CHECK(statistics.buffered >= 100 && statistics.buffered <= 256);
    end_ring(ring);

    fake_set_handler(NULL);
    CHECK_EQUAL(fake_live_handles(), live);
    end_inbox(inbox);
}

static int refuse(const uint8_t *request, size_t size) {
    (void)request, (void)size;
    emit(frame(1, fake_new_handle(8)));
    return FAKE_REFUSE;
}

static void a_ring_that_cannot_be_leaves_nothing(void) {
    struct inbox *inbox = open_inbox();
    size_t live = fake_live_handles();
    struct message request = open_stream_request(), other = nest(83, number(1, 1));
    struct opening opening;
    fake_set_handler(refuse);
    CHECK_EQUAL(ring_open(inbox, request.data, request.size, 4, &opening), REFUSED);
    fake_set_handler(NULL);
    CHECK_EQUAL(ring_open(inbox, other.data, other.size, 4, &opening), NO_STREAM);
    inbox_close(inbox);
    CHECK_EQUAL(ring_open(inbox, request.data, request.size, 4, &opening), CLOSED);
    inbox_release(inbox);
    CHECK_EQUAL(fake_live_handles(), live);
}

/* Logs, panic, nonsense */

static size_t free_logs(void) {
    size_t count;
    struct record *record = core_take_logs(&count);
    for (size_t i = 0; i < count; i++) {
        struct record *next = record->next;
        free(record);
        record = next;
    }
    CHECK(!record);
    return count;
}

static void logs_are_filtered_and_wake_the_oldest(void) {
    free_logs();
    struct inbox *oldest = open_inbox(), *youngest = open_inbox();
    struct message batch = join(log_record(0, "error"), join(log_record(1, "warning"), log_record(4, "trace")));
    emit(nest(18, batch));
    CHECK(is_readable(oldest) && !is_readable(youngest));
    EXPECT_NOTHING(oldest);
    CHECK_EQUAL(free_logs(), 1);
    core_set_log_level(1);
    emit(nest(18, batch));
    CHECK_EQUAL(free_logs(), 2);
    core_set_log_level(4);
    emit(nest(18, batch));

    emit(reply(14, async_id_of(oldest, 1))); /* what else comes and goes does not take the wake away */
    CHECK(inbox_abandon(oldest, async_id_of(oldest, 1)));
    CHECK(is_readable(oldest));
    end_inbox(oldest);
    CHECK(is_readable(youngest));
    EXPECT_NOTHING(youngest);
    end_inbox(youngest);
    youngest = open_inbox(); /* it learns of what is there already */
    CHECK(is_readable(youngest));
    CHECK_EQUAL(free_logs(), 3);
    EXPECT_NOTHING(youngest);

    uint64_t dropped = counted(DROPPED_LOGS);
    core_set_log_level(0);
    for (int i = 0; i < 1030; i++) {
        emit(nest(18, log_record(0, "error")));
    }
    CHECK_EQUAL(counted(DROPPED_LOGS), dropped + 6);
    CHECK_EQUAL(free_logs(), 1024);
    CHECK(!take_one(youngest));
    emit(nest(18, log_record(3, "debug")));
    EXPECT_NOTHING(youngest);
    end_inbox(youngest);
}

static void a_panic_is_everybodys(void) {
    struct inbox *one = open_inbox(), *two = open_inbox();
    emit(nest(20, bytes(1, "panic", 5)));
    EXPECT(one, 20, 0);
    EXPECT(two, 20, 0);
    EXPECT_NOTHING(one);
    emit(nest(20, bytes(1, "panic", 5)));
    end_inbox(one);
    end_inbox(two);
}

static void nonsense_is_counted(void) {
    static const uint8_t *const nonsense[] = {(const uint8_t *)"\xff", (const uint8_t *)"\x0a\x05\x08", (const uint8_t *)"\x0b",
                                              (const uint8_t *)"\x08\x01"};
    static const size_t sizes[] = {1, 3, 1, 2};
    uint64_t malformed = counted(MALFORMED);
    fake_emit(NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        fake_emit(nonsense[i], sizes[i]);
    }
    emit(nest(1, number(2, 1)));       /* no key */
    emit(nest(READY, number(1, 1)));   /* a kind of our own */
    emit(nest(2, (struct message){0})); /* the empty track_event */
    CHECK_EQUAL(counted(MALFORMED), malformed + 8);
}

/* Whatever the bytes: no read outside of them (AddressSanitizer's business), no lost memory, nothing that hangs. */
static void mutated_events_do_no_harm(void) {
    struct inbox *inbox = open_inbox();
    CHECK_EQUAL(inbox_route(inbox, 7, 1000, 1000, true), DONE);
    static const uint64_t handles[5] = {1, 2, 3, 4, 5}; /* real handles do not matter here: most drops will be of others */
    struct message seeds[] = {
        connected(async_id_of(inbox, 1), handles), data_packet(7, LOSSY_PACKET, 1, 0, 8), data_packet(7, RELIABLE_PACKET, 1, 0, 8),
        chunk(7, 100), frame(7, 1), stream_end(7), nest(18, log_record(0, "error")), nest(20, bytes(1, "panic", 5)), state_event(7, 1),
    };
    uint32_t random = 1;
    for (int i = 0; i < 60000; i++) {
        const struct message *seed = &seeds[i % (int)(sizeof seeds / sizeof *seeds)];
        uint8_t *copy = malloc(seed->size); /* its own allocation: every read past its end is seen */
        CHECK(copy);
        memcpy(copy, seed->data, seed->size);
        for (int change = 0; change < 3; change++) {
            random = random * 1664525 + 1013904223;
            copy[(random >> 8) % seed->size] = (uint8_t)(random >> 24);
        }
        fake_emit(copy, seed->size - (random >> 4) % 3);
        free(copy);
        size_t count;
        if (i % 100 == 0) {
            events_dispose(inbox_take(inbox, 1000, &count));
            free_logs();
        }
    }
    fake_forget_requests();
    end_inbox(inbox);
}

static void owners_are_not_used_again_soon(void) {
    static uint32_t last_use[65536];
    struct inbox *kept = open_inbox();
    for (uint32_t i = 1; i < 140000; i++) {
        struct inbox *inbox = open_inbox();
        uint16_t owner = inbox_owner(inbox);
        CHECK(owner && owner != inbox_owner(kept));
        CHECK(!last_use[owner] || i - last_use[owner] >= 65534);
        last_use[owner] = i;
        end_inbox(inbox);
    }
    end_inbox(kept);
}

static void after_silencing_nothing_happens(void) {
    struct inbox *inbox = open_inbox();
    uint64_t handle = fake_new_handle(8), callbacks = counted(CALLBACKS);
    emit(reply(14, async_id_of(inbox, 1)));
    CHECK_EQUAL(counted(CALLBACKS), callbacks + 1);
    core_silence();
    emit(reply(14, async_id_of(inbox, 2)));
    CHECK_EQUAL(counted(CALLBACKS), callbacks + 1);
    CHECK(!core_drop(handle));
    CHECK(fake_memory(handle));
    EXPECT(inbox, 14, async_id_of(inbox, 1));
    EXPECT_NOTHING(inbox);
    end_inbox(inbox);
}

int main(void) {
    load_fake();
    replies_find_their_inbox();
    every_kind_of_descriptor_wakes();
    abandoned_joins_are_undone();
    abandoned_replies_give_up_their_handles();
    what_finds_nobody_is_dropped();
    routes_carry_and_end();
    raw_streams_are_for_those_who_ask();
    lossy_packets_lose_their_oldest();
    reliable_packets_are_lost_loudly();
    chunks_are_bounded_and_ends_are_not();
    rings_drop_their_oldest();
    rings_announce_once_until_found_empty();
    closing_a_ring_takes_everything_with_it();
    no_frame_is_lost_while_a_stream_opens();
    a_ring_that_cannot_be_leaves_nothing();
    logs_are_filtered_and_wake_the_oldest();
    a_panic_is_everybodys();
    nonsense_is_counted();
    CHECK_EQUAL(fake_live_handles(), 0);
    CHECK_EQUAL(fake_false_drops(), 0);
    mutated_events_do_no_harm();
    owners_are_not_used_again_soon();
    struct native again = {livekit_ffi_initialize, livekit_ffi_request, livekit_ffi_drop_handle};
    CHECK(!core_load(again, "test", "0"));
    after_silencing_nothing_happens();
    livekit_ffi_dispose();
    return 0;
}
