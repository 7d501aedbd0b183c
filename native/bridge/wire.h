/* Reading protobuf's wire format, as much of it as routing needs: no schema, no allocation, every step bounds-checked. */

#ifndef LIVEKIT_TRIO_WIRE_H
#define LIVEKIT_TRIO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* The unread rest of a message. */
struct wire {
    const uint8_t *at;
    const uint8_t *end;
    bool malformed;
};

struct field {
    uint32_t number;
    uint32_t type;
    uint64_t value;    /* of a varint */
    struct wire bytes; /* of a length-delimited field */
};

static inline struct wire wire_of(const uint8_t *data, size_t size) {
    return (struct wire){data, data + size, false};
}

static inline size_t wire_size(const struct wire *message) {
    return (size_t)(message->end - message->at);
}

static inline bool wire_fail(struct wire *message) {
    message->malformed = true;
    message->at = message->end;
    return false;
}

static inline bool wire_varint(struct wire *message, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (message->at == message->end) {
            return wire_fail(message);
        }
        uint8_t byte = *message->at++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return wire_fail(message);
}

static inline bool wire_skip(struct wire *message, uint64_t count) {
    if (count > wire_size(message)) {
        return wire_fail(message);
    }
    message->at += count;
    return true;
}

/* The next field; false at the end and where the message makes no sense (then it is `malformed`). */
static inline bool wire_next(struct wire *message, struct field *field) {
    uint64_t tag;
    if (message->at == message->end || !wire_varint(message, &tag)) {
        return false;
    }
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    field->value = 0;
    field->bytes = wire_of(message->at, 0);
    switch (field->type) {
    case WIRE_VARINT:
        return wire_varint(message, &field->value);
    case WIRE_FIXED64:
        return wire_skip(message, 8);
    case WIRE_FIXED32:
        return wire_skip(message, 4);
    case WIRE_BYTES:
        if (!wire_varint(message, &field->value)) {
            return false;
        }
        field->bytes = wire_of(message->at, 0);
        if (!wire_skip(message, field->value)) {
            return false;
        }
        field->bytes.end = message->at;
        return true;
    default: /* groups are in no message of the library */
        return wire_fail(message);
    }
}

/* The first field of that number and type. */
static inline bool wire_find(struct wire message, uint32_t number, enum wire_type type, struct field *field) {
    while (wire_next(&message, field)) {
        if (field->number == number && field->type == (uint32_t)type) {
            return true;
        }
    }
    return false;
}

#define WIRE_VARINT_MAX 10

static inline uint8_t *wire_put_varint(uint8_t *at, uint64_t value) {
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

#endif
