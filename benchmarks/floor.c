/* The floor: what the native library costs by itself. It does what the Python subjects do (see subjects/__init__.py), without
 * Python: its callback counts data packets and drops their handles, and everything else it forgets.
 *
 *     floor LIBRARY connect JOINING TIMES
 *     floor LIBRARY receive JOINING
 *     floor LIBRARY listen JOINING
 *     floor LIBRARY capture SOURCES
 *     floor LIBRARY publish JOINING TIMES
 *     floor LIBRARY sink JOINING SIZE
 *     floor LIBRARY source JOINING SIZE
 *     floor LIBRARY calls JOINING
 *     floor LIBRARY packet JOINING TIMES
 *     floor LIBRARY sound JOINING TIMES
 *
 * JOINING is a file with a serialised ConnectRequest of an FfiRequest in each line, in hexadecimal digits.
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

enum { ROOM_EVENT = 1, VIDEO_FRAME = 3, AUDIO_FRAME = 4, CONNECT = 5, DISCONNECT = 7, TRACK_PUBLISHED = 9, TRACK_UNPUBLISHED = 10, PUBLISHED = 11, CAPTURED = 13, CALLED = 23, INVOKED = 24, BYTE_READER = 28, SENT = 41 };
enum { TRACK_SUBSCRIBED = 9, DATA_PACKET = 27, BYTES_OPENED = 34 };
enum { PUBLISH_TRACK = 5, UNPUBLISH_TRACK = 6, CREATE_AUDIO_TRACK = 16 };
enum { PUBLISH_DATA = 7, PERFORM_RPC = 38, REGISTER_RPC = 39, ANSWER_RPC = 41 };
enum { DISCONNECT_REQUEST = 4, NEW_VIDEO_STREAM = 20, NEW_AUDIO_STREAM = 25, NEW_AUDIO_SOURCE = 26, CAPTURE_AUDIO_FRAME = 27, BYTE_READ = 54, SEND_BYTES = 67, READY_REQUEST = 83 };
enum { VIDEO = 2 };
enum { RATE = 48000, TICK = RATE / 100, PERIOD = 33, BURST = 2, VOLUME = 10000, EARLY = 5 }; /* as subjects/__init__.py */

static struct {
    void (*initialize)(void (*)(const uint8_t *, size_t), bool, const char *, const char *);
    uint64_t (*request)(const uint8_t *, size_t, const uint8_t **, size_t *);
    bool (*drop_handle)(uint64_t);
} native;

static atomic_ullong messages;
static bool listening;
static bool capturing; /* one frame after the other */
static bool timing;    /* packets hold the time at which they were sent */
static double begun;   /* when the tone began that was not heard yet, under the lock; 0 if there is none */
static uint64_t wanted; /* how many bytes of streams are to come */
static uint64_t me;     /* the local participant of the last room */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t joined; /* the room's handle, from a connect callback until it is taken */
static bool left;
static bool sent;
static unsigned replied; /* to packets, calls and publishing */
static char sid[64];     /* of what was published last */
static double took[10000];
static atomic_uint heard; /* how many of them there are */

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

static uint64_t send_request_for(const uint8_t *data, size_t size, const uint32_t *path, size_t depth);
static void send_request(const uint8_t *data, size_t size);

/* An FfiRequest around a message of at most 100 bytes. */
static size_t put_request(uint8_t *request, uint32_t number, const uint8_t *inner, size_t size) {
    uint8_t *at = wire_put_varint(request, number << 3 | WIRE_BYTES);
    at = wire_put_varint(at, size);
    memcpy(at, inner, size);
    return (size_t)(at - request) + size;
}

static uint8_t *put_number(uint8_t *at, uint32_t field, uint64_t value) {
    *at++ = (uint8_t)(field << 3 | WIRE_VARINT);
    return wire_put_varint(at, value);
}

/* A source of 48 kHz mono with a queue of 100 ms. */
static uint64_t make_source(void) {
    uint8_t inner[100], request[120], *at = put_number(inner, 1, 0);
    at = put_number(at, 3, RATE);
    at = put_number(at, 4, 1);
    at = put_number(at, 5, 100);
    size_t size = put_request(request, NEW_AUDIO_SOURCE, inner, (size_t)(at - inner));
    return send_request_for(request, size, (uint32_t[]){NEW_AUDIO_SOURCE, 1, 1, 1}, 4);
}

static const int16_t silence[TICK];

/* 10 ms; the reply tells the source by the async id, which is its handle. */
static void capture(uint64_t source, const int16_t *samples) {
    uint8_t buffer[60], inner[100], request[120], *at = put_number(buffer, 1, (uint64_t)(uintptr_t)samples);
    at = put_number(at, 2, 1);
    at = put_number(at, 3, RATE);
    at = put_number(at, 4, TICK);
    size_t size = (size_t)(at - buffer);
    at = put_number(inner, 1, source);
    *at++ = 2 << 3 | WIRE_BYTES;
    at = wire_put_varint(at, size);
    memcpy(at, buffer, size);
    at = put_number(at + size, 3, source);
    send_request(request, put_request(request, CAPTURE_AUDIO_FRAME, inner, (size_t)(at - inner)));
}

/* NewAudioStreamRequest or NewVideoStreamRequest of raw frames, in the formats that the SDKs ask for by themselves. */
static void open_stream(uint64_t track, uint64_t kind) {
    uint8_t inner[100], request[120], *at = put_number(inner, 1, track);
    at = put_number(at, 2, 0);
    if (kind == VIDEO) {
        at = put_number(at, 4, 1); /* normalize_stride */
    } else {
        at = put_number(at, 3, RATE);
        at = put_number(at, 4, 1);
    }
    send_request(request, put_request(request, kind == VIDEO ? NEW_VIDEO_STREAM : NEW_AUDIO_STREAM, inner, (size_t)(at - inner)));
}

static uint8_t *put_text(uint8_t *at, uint32_t field, const char *text) {
    *at++ = (uint8_t)(field << 3 | WIRE_BYTES);
    at = wire_put_varint(at, strlen(text));
    memcpy(at, text, strlen(text));
    return at + strlen(text);
}

/* Answer a call in the callback itself. */
static void answer(struct wire invocation) {
    uint8_t inner[100], request[120], *at = put_number(inner, 1, find(invocation, (uint32_t[]){1}, 1));
    at = put_text(put_number(at, 2, find(invocation, (uint32_t[]){2}, 1)), 3, "x");
    send_request(request, put_request(request, ANSWER_RPC, inner, (size_t)(at - inner)));
}

static void send_about(uint32_t number, uint64_t handle);
static void print_snapshot(void);
static double now(void);

/* Whether the tone is in a frame. */
static bool is_loud(struct wire frame) {
    const int16_t *samples = (const int16_t *)(uintptr_t)find(frame, (uint32_t[]){2, 1, 2, 1}, 4);
    uint64_t count = find(frame, (uint32_t[]){2, 1, 2, 4}, 4);
    for (uint64_t i = 0; i < count; i++) {
        if (samples[i] > VOLUME / 3) {
            return true;
        }
    }
    return false;
}

/* Of a TrackPublishedCallback. */
static void keep_sid(struct wire published) {
    struct field publication, info, text;
    if (!wire_find(published, 3, WIRE_BYTES, &publication) || !wire_find(publication.bytes, 2, WIRE_BYTES, &info) ||
        !wire_find(info.bytes, 1, WIRE_BYTES, &text) || wire_size(&text.bytes) >= sizeof sid) {
        die("a track was not published");
    }
    memcpy(sid, text.bytes.at, wire_size(&text.bytes));
    sid[wire_size(&text.bytes)] = 0;
}

static void note(double begin) {
    unsigned number = atomic_load(&heard);
    if (number < sizeof took / sizeof *took) {
        took[number] = (now() - begin) * 1e3;
        atomic_store(&heard, number + 1);
    }
}

/* The content of a chunk, in bytes; 0 if it is the end. */
static size_t chunk_size(struct wire event) {
    struct field chunk, content;
    return wire_find(event, 2, WIRE_BYTES, &chunk) && wire_find(chunk.bytes, 1, WIRE_BYTES, &content) ? wire_size(&content.bytes) : 0;
}

static void on_event(const uint8_t *data, size_t size) {
    struct wire event = wire_of(data, size);
    struct field member;
    do {
        if (!wire_next(&event, &member)) {
            return;
        }
    } while (member.type != WIRE_BYTES);
    if (member.number == VIDEO_FRAME || member.number == AUDIO_FRAME) {
        uint64_t frame = find(member.bytes, (uint32_t[]){2, 1, 1, 1}, 4);
        if (frame) {
            atomic_fetch_add(&messages, 1);
            pthread_mutex_lock(&lock);
            if (begun && is_loud(member.bytes)) {
                note(begun);
                begun = 0;
            }
            pthread_mutex_unlock(&lock);
            native.drop_handle(frame);
        }
    } else if (member.number == CAPTURED) {
        atomic_fetch_add(&messages, 1);
        if (capturing) {
            capture(find(member.bytes, (uint32_t[]){1}, 1), silence);
        }
    } else if (member.number == INVOKED) {
        answer(member.bytes);
    } else if (member.number == PUBLISHED || member.number == CALLED || member.number == TRACK_PUBLISHED || member.number == TRACK_UNPUBLISHED) {
        pthread_mutex_lock(&lock);
        if (member.number == TRACK_PUBLISHED) {
            keep_sid(member.bytes);
        }
        replied++;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    } else if (member.number == BYTE_READER) {
        size_t size = chunk_size(member.bytes);
        if (size && atomic_fetch_add(&messages, size) + size == wanted) {
            print_snapshot();
        }
    } else if (member.number == ROOM_EVENT) {
        uint64_t reader = find(member.bytes, (uint32_t[]){BYTES_OPENED, 1, 1, 1}, 4);
        if (reader) {
            send_about(BYTE_READ, reader);
        }
        uint64_t track = listening ? find(member.bytes, (uint32_t[]){TRACK_SUBSCRIBED, 2, 1, 1}, 4) : 0;
        if (track) {
            open_stream(track, find(member.bytes, (uint32_t[]){TRACK_SUBSCRIBED, 2, 2, 3}, 4));
        }
        uint64_t buffer = find(member.bytes, (uint32_t[]){DATA_PACKET, 4, 1, 1, 1}, 5);
        if (buffer) {
            atomic_fetch_add(&messages, 1);
            if (timing) {
                note(*(const double *)(uintptr_t)find(member.bytes, (uint32_t[]){DATA_PACKET, 4, 1, 2, 1}, 5));
            }
            native.drop_handle(buffer);
        }
    } else if (member.number == CONNECT || member.number == DISCONNECT || member.number == SENT) {
        pthread_mutex_lock(&lock);
        if (member.number == CONNECT) {
            joined = find(member.bytes, (uint32_t[]){3, 1, 1, 1}, 4);
            me = find(member.bytes, (uint32_t[]){3, 2, 1, 1}, 4);
            if (!joined) {
                die("a join failed");
            }
        } else if (member.number == SENT) {
            sent = true;
        } else {
            left = true;
        }
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
}

/* Send a request and return the number at the end of *path* in the FfiResponse. */
static uint64_t send_request_for(const uint8_t *data, size_t size, const uint32_t *path, size_t depth) {
    const uint8_t *response;
    size_t response_size;
    uint64_t handle = native.request(data, size, &response, &response_size);
    if (!handle) {
        die("a request was refused");
    }
    uint64_t found = find(wire_of(response, response_size), path, depth);
    native.drop_handle(handle);
    return found;
}

static void send_request(const uint8_t *data, size_t size) {
    send_request_for(data, size, (uint32_t[]){0}, 1);
}

/* A request whose field 1 is a handle. */
static void send_about(uint32_t number, uint64_t handle) {
    uint8_t inner[100], request[120];
    send_request(request, put_request(request, number, inner, (size_t)(put_number(inner, 1, handle) - inner)));
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
    send_about(READY_REQUEST, room);
    return room;
}

static void leave(uint64_t room) {
    send_about(DISCONNECT_REQUEST, room);
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
        printf("%.6f\n", (now() - start) * 1e3);
        leave(room);
    }
}

static void print_snapshot(void) {
    printf("%llu %.6f\n", atomic_load(&messages), cpu());
    fflush(stdout);
}

static void receive(void) {
    printf("ready\n");
    fflush(stdout);
    for (char line[16]; fgets(line, sizeof line, stdin);) {
        print_snapshot();
    }
}

/* SendBytesRequest of *size* bytes that do not compress, on the topic "bench". */
static void send_stream(size_t size) {
    uint8_t *inner = malloc(size + 100), *request = malloc(size + 200);
    if (!inner || !request) {
        die("no memory");
    }
    uint8_t *at = put_number(inner, 1, me);
    memcpy(at, "\x12\x09\x0a\x05" "bench\x40\x00", 11); /* options: topic, and no compression */
    at += 11;
    *at++ = 3 << 3 | WIRE_BYTES;
    at = wire_put_varint(at, size);
    for (size_t i = 0; i < size; i++) {
        *at++ = (uint8_t)rand();
    }
    at = put_number(at, 4, 1);
    send_request(request, put_request(request, SEND_BYTES, inner, (size_t)(at - inner)));
    pthread_mutex_lock(&lock);
    while (!sent) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    free(inner);
    free(request);
    atomic_fetch_add(&messages, size);
}

static void send_when_told(size_t size) {
    printf("ready\n");
    fflush(stdout);
    for (char line[16]; fgets(line, sizeof line, stdin);) {
        print_snapshot();
        send_stream(size);
        print_snapshot();
    }
}

static void publish(uint64_t from) {
    static uint8_t packet[200];
    uint8_t inner[100], request[120], *at = put_number(inner, 1, from);
    at = put_number(at, 2, (uint64_t)(uintptr_t)packet);
    at = put_number(put_number(at, 3, sizeof packet), 4, true);
    send_request(request, put_request(request, PUBLISH_DATA, inner, (size_t)(at - inner)));
}

static void call(uint64_t from) {
    uint8_t inner[100], request[120], *at = put_number(inner, 1, from);
    at = put_text(put_text(put_text(at, 2, "bob"), 3, "echo"), 4, "x");
    send_request(request, put_request(request, PERFORM_RPC, inner, (size_t)(at - inner)));
}

/* Do it so many times at once, and return the seconds until all are answered. */
static double time_of(void (*act)(uint64_t), uint64_t from, unsigned times) {
    double start = now();
    replied = 0; /* nothing is under way */
    for (unsigned i = 0; i < times; i++) {
        act(from);
    }
    pthread_mutex_lock(&lock);
    while (replied < times) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    return now() - start;
}

static int compare(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* As `subjects/ours_calls.py`. */
static void measure_calls(uint64_t ann, uint64_t bob) {
    uint8_t inner[100], request[120], *at = put_text(put_number(inner, 1, bob), 2, "echo");
    send_request(request, put_request(request, REGISTER_RPC, inner, (size_t)(at - inner)));
    sleep(4);
    time_of(publish, ann, 1);
    double start = now();
    for (int i = 0; i < 1000; i++) {
        time_of(publish, ann, 1);
    }
    printf("serial %.6f\n", 1000 / (now() - start));
    printf("at_once %.6f\n", 1000 / time_of(publish, ann, 1000));
    time_of(call, ann, 1);
    double times[200];
    for (int i = 0; i < 200; i++) {
        times[i] = time_of(call, ann, 1);
    }
    qsort(times, 200, sizeof *times, compare);
    printf("rpc %.6f\n", (times[99] + times[100]) / 2 * 1e3);
    printf("rpcs %.6f\n", 200 / time_of(call, ann, 200));
}

static void print_times(unsigned from) {
    for (unsigned i = from; i < atomic_load(&heard); i++) {
        printf("%.6f\n", took[i]);
    }
}

/* A track of a new source. */
static uint64_t make_track(uint64_t source) {
    uint8_t inner[100], request[120], *at = put_number(put_text(inner, 1, "track"), 2, source);
    size_t size = put_request(request, CREATE_AUDIO_TRACK, inner, (size_t)(at - inner));
    return send_request_for(request, size, (uint32_t[]){CREATE_AUDIO_TRACK, 1, 1, 1}, 4);
}

static uint64_t track; /* the next to be published */

static void publish_track(uint64_t from) {
    uint8_t inner[100], request[120], *at = put_number(put_number(inner, 1, from), 2, track);
    *at++ = 3 << 3 | WIRE_BYTES; /* options: none */
    *at++ = 0;
    send_request(request, put_request(request, PUBLISH_TRACK, inner, (size_t)(at - inner)));
}

static void unpublish_track(uint64_t from) {
    uint8_t inner[100], request[120], *at = put_text(put_number(inner, 1, from), 2, sid);
    at = put_number(at, 3, true);
    send_request(request, put_request(request, UNPUBLISH_TRACK, inner, (size_t)(at - inner)));
}

static void publish_again_and_again(uint64_t from, int times) {
    for (int i = 0; i < times; i++) {
        track = make_track(make_source());
        printf("%.6f\n", time_of(publish_track, from, 1) * 1e3);
        time_of(unpublish_track, from, 1);
    }
}

static void sleep_until(double due) {
    struct timespec time = {(time_t)due, (long)((due - (double)(time_t)due) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void send_timed(uint64_t from) {
    static double time;
    time = now();
    uint8_t inner[100], request[120], *at = put_number(inner, 1, from);
    at = put_number(at, 2, (uint64_t)(uintptr_t)&time);
    at = put_number(put_number(at, 3, sizeof time), 4, true);
    send_request(request, put_request(request, PUBLISH_DATA, inner, (size_t)(at - inner)));
}

static void time_packets(uint64_t ann, int times) {
    timing = true;
    sleep(1);
    for (int i = 0; i < times; i++) {
        sleep_until(now() + 0.01);
        time_of(send_timed, ann, 1);
    }
    sleep(1);
    print_times(0);
}

static void time_sound(uint64_t ann, unsigned times) {
    int16_t loud[TICK];
    for (int i = 0; i < TICK; i++) {
        loud[i] = i / (RATE / 2000) % 2 ? -VOLUME : VOLUME; /* 1 kHz */
    }
    uint64_t source = make_source();
    track = make_track(source);
    time_of(publish_track, ann, 1);
    double due = now();
    for (int i = 0; atomic_load(&heard) < EARLY + times; i++) {
        sleep_until(due += 0.01);
        if (i % PERIOD == 0) {
            pthread_mutex_lock(&lock);
            begun = now();
            pthread_mutex_unlock(&lock);
        }
        capture(source, i % PERIOD < BURST ? loud : silence);
    }
    print_times(EARLY);
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
    const char *what = arguments[2];
    int times = count == 5 ? atoi(arguments[4]) : 0;
    if (!strcmp(what, "capture")) {
        capturing = true;
        for (int i = 0; i < atoi(arguments[3]); i++) {
            capture(make_source(), silence);
        }
        receive();
        _exit(0);
    }
    FILE *requests = fopen(arguments[3], "r");
    if (!requests) {
        die("no such file");
    }
    listening = !strcmp(what, "listen") || !strcmp(what, "sound");
    if (!strcmp(what, "sink")) {
        wanted = strtoull(arguments[4], NULL, 10);
    }
    uint64_t first = 0, rooms[200];
    size_t joined_rooms = 0;
    static char line[1 << 17];
    while (fgets(line, sizeof line, requests)) {
        if (!strcmp(what, "connect")) {
            connect_again_and_again(line, times);
        } else if (joined_rooms < sizeof rooms / sizeof *rooms) {
            rooms[joined_rooms++] = join(line);
            first = first ? first : me;
        }
    }
    if (!strcmp(what, "calls")) {
        measure_calls(first, me);
    } else if (!strcmp(what, "source")) {
        send_when_told(strtoull(arguments[4], NULL, 10));
    } else if (!strcmp(what, "publish")) {
        publish_again_and_again(first, times);
    } else if (!strcmp(what, "packet")) {
        time_packets(first, times);
    } else if (!strcmp(what, "sound")) {
        time_sound(first, (unsigned)times);
    } else if (strcmp(what, "connect")) {
        receive();
    }
    while (joined_rooms) {
        leave(rooms[--joined_rooms]);
    }
    fflush(stdout);
    _exit(0);
}
