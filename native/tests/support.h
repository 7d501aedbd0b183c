/* What the C tests share: a check, messages, and the events of the library as far as the bridge looks into them. */

#ifndef LIVEKIT_TRIO_TEST_SUPPORT_H
#define LIVEKIT_TRIO_TEST_SUPPORT_H

#include "../bridge/core.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "../bridge/wire.h"
#include "../fake/fake_ffi.h"

#define CHECK(condition)                                                                \
    do {                                                                                \
        if (!(condition)) {                                                             \
            fprintf(stderr, "%s:%d: %s is false: %s\n", __FILE__, __LINE__, __func__, #condition); \
            exit(1);                                                                    \
        }                                                                               \
    } while (0)

#define CHECK_EQUAL(left, right)                                                                                  \
    do {                                                                                                          \
        unsigned long long left_ = (unsigned long long)(left), right_ = (unsigned long long)(right);              \
        if (left_ != right_) {                                                                                    \
            fprintf(stderr, "%s:%d: %s: %s is %llu, not %llu\n", __FILE__, __LINE__, __func__, #left, left_, right_); \
            exit(1);                                                                                              \
        }                                                                                                         \
    } while (0)

/* Messages */

struct message {
    size_t size;
    uint8_t data[2400];
};

static inline struct message number(uint32_t field, uint64_t value) {
    struct message message;
    uint8_t *at = wire_put_varint(message.data, (uint64_t)field << 3 | WIRE_VARINT);
    message.size = (size_t)(wire_put_varint(at, value) - message.data);
    return message;
}

static inline struct message bytes(uint32_t field, const void *data, size_t size) {
    struct message message;
    uint8_t *at = wire_put_varint(message.data, (uint64_t)field << 3 | WIRE_BYTES);
    at = wire_put_varint(at, size);
    memcpy(at, data, size);
    message.size = (size_t)(at - message.data) + size;
    return message;
}

static inline struct message nest(uint32_t field, struct message inner) { return bytes(field, inner.data, inner.size); }

static inline struct message join(struct message first, struct message second) {
    memcpy(first.data + first.size, second.data, second.size);
    first.size += second.size;
    return first;
}

static inline void emit(struct message event) { fake_emit(event.data, event.size); }

/* Events */

static inline struct message owned(uint64_t handle) { return nest(1, number(1, handle)); }

static inline struct message reply(uint32_t kind, uint64_t async_id) { return nest(kind, number(1, async_id)); }

/* A successful join: a room, a local participant, and one remote one with two publications. */
static inline struct message connected(uint64_t async_id, const uint64_t handles[5]) {
    struct message remote = join(nest(1, owned(handles[2])), join(nest(2, owned(handles[3])), nest(2, owned(handles[4]))));
    struct message result = join(nest(1, owned(handles[0])), join(nest(2, owned(handles[1])), nest(3, remote)));
    return nest(5, join(number(1, async_id), nest(3, result)));
}

static inline struct message room_event(uint64_t room, uint32_t which, struct message detail) {
    return nest(1, join(number(1, room), nest(which, detail)));
}

/* track_muted, which owns nothing */
static inline struct message state_event(uint64_t room, uint64_t value) { return room_event(room, 12, number(15, value)); }

enum { LOSSY_PACKET = 0, RELIABLE_PACKET = 1 };

static inline struct message data_packet(uint64_t room, int kind, uint64_t handle, uint64_t address, uint64_t length) {
    struct message buffer = join(owned(handle), nest(2, join(number(1, address), number(2, length))));
    return room_event(room, 27, join(number(1, (uint64_t)kind), join(bytes(2, "alice", 5), nest(4, nest(1, buffer)))));
}

static inline struct message chunk(uint64_t reader, size_t size) {
    static const uint8_t content[1000];
    return nest(28, join(number(1, reader), nest(2, bytes(1, content, size))));
}

static inline struct message reader_end(uint64_t reader) { return nest(28, join(number(1, reader), bytes(3, "", 0))); }

static inline struct message frame(uint64_t stream, uint64_t handle) {
    return nest(4, join(number(1, stream), nest(2, nest(1, owned(handle)))));
}

static inline struct message stream_end(uint64_t stream) { return nest(4, join(number(1, stream), bytes(3, "", 0))); }

static inline struct message log_record(uint32_t level, const char *text) {
    return nest(1, join(number(1, level), join(bytes(2, "target", 6), bytes(6, text, strlen(text)))));
}

/* new_audio_stream; the fake answers with a fresh stream */
static inline struct message open_stream_request(void) { return nest(25, join(number(1, 1), number(2, 0))); }

/* The bridge, loaded with the fake */

static inline void load_fake(void) {
    struct native native = {livekit_ffi_initialize, livekit_ffi_request, livekit_ffi_drop_handle};
    CHECK(core_load(native, "test", "0"));
}

static inline uint64_t counted(enum counter counter) {
    uint64_t counters[COUNTERS];
    core_statistics(counters);
    return counters[counter];
}

static inline struct inbox *open_inbox(void) {
    int fd = eventfd(0, EFD_CLOEXEC);
    CHECK(fd >= 0);
    struct inbox *inbox = inbox_open(fd, fd);
    CHECK(inbox);
    return inbox;
}

static inline void end_inbox(struct inbox *inbox) {
    inbox_close(inbox);
    inbox_release(inbox);
}

static inline bool is_readable(struct inbox *inbox) {
    struct pollfd waiting = {.events = POLLIN};
    CHECK(inbox_fileno(inbox, &waiting.fd));
    return poll(&waiting, 1, 0) == 1;
}

static inline uint64_t async_id_of(struct inbox *inbox, uint64_t n) { return (uint64_t)inbox_owner(inbox) << 48 | n; }

/* Take one event; the caller frees it. */
static inline struct event *take_one(struct inbox *inbox) {
    size_t count;
    struct event *event = inbox_take(inbox, 1, &count);
    CHECK_EQUAL(count, event != NULL);
    return event;
}

/* Take one event, which must be of that kind and key, and give up what it owns. */
#define EXPECT(inbox, expected_kind, expected_key)    \
    do {                                              \
        struct event *event_ = take_one(inbox);       \
        CHECK(event_);                                \
        CHECK_EQUAL(event_->kind, expected_kind);     \
        CHECK_EQUAL(event_->key, expected_key);       \
        events_dispose(event_);                       \
    } while (0)

#define EXPECT_NOTHING(inbox)          \
    do {                               \
        CHECK(!take_one(inbox));       \
        CHECK(!is_readable(inbox));    \
    } while (0)

#endif
