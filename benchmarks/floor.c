/* The floor: what the native library costs by itself. It does what the Python subjects do (see subjects/__init__.py), without
 * Python: its callback counts data packets and drops their handles, and everything else it forgets.
 *
 *     floor LIBRARY connect REQUESTS COUNT
 *     floor LIBRARY receive REQUESTS
 *
 * REQUESTS is a file with a serialised ConnectRequest of an FfiRequest in each line, in hexadecimal digits.
 */

#define _GNU_SOURCE
#include "wire.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ROOM_EVENT = 1, CONNECT = 5, DISCONNECT = 7, DATA_PACKET = 27, DISCONNECT_REQUEST = 4, READY_REQUEST = 83 };

static struct {
    void (*initialize)(void (*)(const uint8_t *, size_t), bool, const char *, const char *);
    uint64_t (*request)(const uint8_t *, size_t, const uint8_t **, size_t *);
    bool (*drop_handle)(uint64_t);
} native;

static atomic_ullong messages;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t joined; /* the room's handle, from a connect callback until it is taken */
static bool left;

static void die(const char *why) {
    fprintf(stderr, "floor: %s\n", why);
    exit(1);
}

/* Follow field numbers down to a varint; 0 if there is none. */
static uint64_t find(struct wire message, const uint32_t *path, size_t depth) {
    struct field field;
    for (size_t i = 0; i + 1 < depth; i++) {
        if (!wire_find(message, path[i], WIRE_BYTES, &field)) {
            return 0;
        }
        message = field.bytes;
    }
    return wire_find(message, path[depth - 1], WIRE_VARINT, &field) ? field.value : 0;
}

static void on_event(const uint8_t *data, size_t size) {
    struct wire event = wire_of(data, size);
    struct field member;
    do {
        if (!wire_next(&event, &member)) {
            return;
        }
    } while (member.type != WIRE_BYTES);
    if (member.number == ROOM_EVENT) {
        uint64_t buffer = find(member.bytes, (uint32_t[]){DATA_PACKET, 4, 1, 1, 1}, 5);
        if (buffer) {
            atomic_fetch_add(&messages, 1);
            native.drop_handle(buffer);
        }
    } else if (member.number == CONNECT || member.number == DISCONNECT) {
        pthread_mutex_lock(&lock);
        if (member.number == CONNECT) {
            joined = find(member.bytes, (uint32_t[]){3, 1, 1, 1}, 4);
            if (!joined) {
                die("a join failed");
            }
        } else {
            left = true;
        }
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
}

static void send_request(const uint8_t *data, size_t size) {
    const uint8_t *response;
    size_t response_size;
    uint64_t handle = native.request(data, size, &response, &response_size);
    if (!handle) {
        die("a request was refused");
    }
    native.drop_handle(handle);
}

/* A request whose field 1 is the room. */
static void send_about_room(uint32_t number, uint64_t room) {
    uint8_t inner[1 + WIRE_VARINT_MAX] = {1 << 3 | WIRE_VARINT};
    size_t size = (size_t)(wire_put_varint(inner + 1, room) - inner);
    uint8_t request[2 * WIRE_VARINT_MAX + sizeof inner];
    uint8_t *at = wire_put_varint(request, number << 3 | WIRE_BYTES);
    at = wire_put_varint(at, size);
    memcpy(at, inner, size);
    send_request(request, (size_t)(at - request) + size);
}

static uint64_t join(const char *line) {
    static uint8_t request[1 << 16];
    size_t size = strspn(line, "0123456789abcdef") / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        sscanf(line + 2 * i, "%2x", &byte);
        request[i] = (uint8_t)byte;
    }
    send_request(request, size);
    pthread_mutex_lock(&lock);
    while (!joined) {
        pthread_cond_wait(&changed, &lock);
    }
    uint64_t room = joined;
    joined = 0;
    pthread_mutex_unlock(&lock);
    send_about_room(READY_REQUEST, room);
    return room;
}

static void leave(uint64_t room) {
    send_about_room(DISCONNECT_REQUEST, room);
    pthread_mutex_lock(&lock);
    while (!left) {
        pthread_cond_wait(&changed, &lock);
    }
    left = false;
    pthread_mutex_unlock(&lock);
    native.drop_handle(room);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void connect_again_and_again(const char *request, int count) {
    for (int i = 0; i < count; i++) {
        double start = now();
        uint64_t room = join(request);
        printf("%.6f\n", now() - start);
        leave(room);
    }
}

static void receive(void) {
    printf("ready\n");
    for (char line[16]; fflush(stdout), fgets(line, sizeof line, stdin);) {
        printf("%llu %.6f\n", atomic_load(&messages), cpu());
    }
}

int main(int count, char **arguments) {
    if (count < 4) {
        die("see the source for how to call it");
    }
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        die(dlerror());
    }
    *(void **)&native.initialize = dlsym(library, "livekit_ffi_initialize");
    *(void **)&native.request = dlsym(library, "livekit_ffi_request");
    *(void **)&native.drop_handle = dlsym(library, "livekit_ffi_drop_handle");
    native.initialize(on_event, true, "floor", "0");
    FILE *requests = fopen(arguments[3], "r");
    if (!requests) {
        die("no such file");
    }
    bool connecting = !strcmp(arguments[2], "connect") && count == 5;
    static char line[1 << 17];
    while (fgets(line, sizeof line, requests)) {
        if (connecting) {
            connect_again_and_again(line, atoi(arguments[4]));
        } else {
            join(line);
        }
    }
    if (!connecting) {
        receive();
    }
    fflush(stdout);
    _exit(0);
}
