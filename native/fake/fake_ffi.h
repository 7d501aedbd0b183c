/* A small fake of liblivekit_ffi: the real ABI, real threads, and no WebRTC. For tests of the bridge, in C and through ctypes.
 *
 * What comes back and what comes in is decided by the test: a handler answers requests, fake_emit calls the callback. Handles own
 * memory, which is poisoned and freed when they are dropped, so that a use after the drop shows (certainly under ASan).
 * Every function may be called from any thread; none holds a lock while it calls the callback or the handler.
 */

#ifndef FAKE_FFI_H
#define FAKE_FFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ABI of liblivekit_ffi */

typedef void (*fake_callback)(const uint8_t *data, size_t size);

void livekit_ffi_initialize(fake_callback callback, bool capture_logs, const char *sdk, const char *version);

/* Answers with the handle that the response belongs to. Refused (0, and an ERROR record through the callback) is what is no request. */
uint64_t livekit_ffi_request(const uint8_t *data, size_t size, const uint8_t **response, size_t *response_size);

bool livekit_ffi_drop_handle(uint64_t handle);

/* Drops every handle and calls back no more. */
void livekit_ffi_dispose(void);

/* Requests */

enum fake_answer {
    FAKE_REFUSE = 0,     /* handle 0 */
    FAKE_RESPONDED = 1,  /* with what was given to fake_respond */
    FAKE_BY_DEFAULT = 2, /* the response of that request: empty; with the async id if it has one; with a fresh stream if it opens one */
};

/* Runs in the requesting thread and returns an enum fake_answer. */
typedef int (*fake_handler)(const uint8_t *request, size_t size);

/* NULL brings back the default for everything. */
void fake_set_handler(fake_handler handler);

/* In a handler: the serialised FfiResponse to answer with. */
void fake_respond(const uint8_t *response, size_t size);

/* How many requests were made since the last fake_forget_requests(); the first 65536 are kept. */
size_t fake_requests(void);

/* Copies request number *index* into *buffer* if it fits; returns its size. 0: there is none. */
size_t fake_request(size_t index, uint8_t *buffer, size_t capacity);
void fake_forget_requests(void);

/* Handles */

/* A handle that owns *size* bytes, all 0x11. */
uint64_t fake_new_handle(size_t size);

/* Where its memory is; NULL if the handle has been dropped. */
void *fake_memory(uint64_t handle);
size_t fake_live_handles(void);

/* Drops of handles that were not there: somebody dropped twice. */
size_t fake_false_drops(void);

/* Events */

/* Call the callback with these bytes, a serialised FfiEvent, on this thread. */
void fake_emit(const uint8_t *data, size_t size);

/* In a template these uint64 values stand for something new in each event. Each takes ten bytes as a varint, and so does its
 * replacement, padded. */
#define FAKE_HANDLE UINT64_C(0xFACEFACEFACEFACE)   /* a fresh handle with memory; every occurrence another one */
#define FAKE_POINTER UINT64_C(0xFEEDFEEDFEEDFEED)  /* the address of the memory of the handle before it */
#define FAKE_SEQUENCE UINT64_C(0xC0DEC0DEC0DEC0DE) /* the thread's index << 32 | the event's number, both from 0 */

/* What one thread emits. */
struct fake_flood {
    const uint8_t *template_data; /* a serialised FfiEvent; copied */
    size_t template_size;
    uint64_t count;
    uint64_t per_second; /* 0: as fast as it can */
    size_t memory;       /* bytes of each fresh handle */
};

/* Call the callback from so many threads of their own, one for each flood. Returns at once; false if they cannot be started. */
bool fake_emit_from_threads(const struct fake_flood *floods, size_t threads);

/* Of all callbacks that these threads made. */
struct fake_timing {
    uint64_t calls;
    uint64_t cpu_max_ns; /* by the thread's own clock */
    uint64_t cpu_p999_ns;
    uint64_t wall_max_ns;
    uint64_t wall_p999_ns;
    int64_t last_return_ns; /* CLOCK_MONOTONIC when the last callback had returned */
};

/* How many threads are still at it. */
size_t fake_threads_running(void);

/* Wait for the threads; *timing may be NULL. */
void fake_join_threads(struct fake_timing *timing);

#endif
