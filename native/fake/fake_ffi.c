#include "../bridge/platform.h"

#include "fake_ffi.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bridge/map.h"
#include "../bridge/wire.h"

#define KEPT_REQUESTS 65536

static _Atomic(fake_callback) callback;
static _Atomic(fake_handler) handler;

static void *checked(void *memory) {
    if (!memory) {
        fputs("fake_ffi: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* Handles */

struct memory {
    size_t size;
    uint8_t data[];
};

static mutex_t handles_lock = MUTEX_INITIALIZER;
static struct map handles;
static uint64_t last_handle;
static size_t false_drops;

static uint64_t own(struct memory *memory) {
    mutex_lock(&handles_lock);
    uint64_t handle = ++last_handle;
    bool put = map_put(&handles, handle, memory);
    mutex_unlock(&handles_lock);
    checked(put ? memory : NULL);
    return handle;
}

static struct memory *memory_new(size_t size) {
    struct memory *memory = checked(malloc(sizeof *memory + size));
    memory->size = size;
    return memory;
}

static void memory_free(struct memory *memory) {
    memset(memory->data, 0xDD, memory->size);
    free(memory);
}

uint64_t fake_new_handle(size_t size) {
    struct memory *memory = memory_new(size);
    memset(memory->data, 0x11, size);
    return own(memory);
}

void *fake_memory(uint64_t handle) {
    mutex_lock(&handles_lock);
    struct memory *memory = map_get(&handles, handle);
    mutex_unlock(&handles_lock);
    return memory ? memory->data : NULL;
}

size_t fake_live_handles(void) {
    mutex_lock(&handles_lock);
    size_t live = handles.size;
    mutex_unlock(&handles_lock);
    return live;
}

size_t fake_false_drops(void) {
    mutex_lock(&handles_lock);
    size_t drops = false_drops;
    mutex_unlock(&handles_lock);
    return drops;
}

bool livekit_ffi_drop_handle(uint64_t handle) {
    mutex_lock(&handles_lock);
    struct memory *memory = map_remove(&handles, handle);
    false_drops += !memory;
    mutex_unlock(&handles_lock);
    if (memory) {
        memory_free(memory);
    }
    return memory;
}

/* Initialising and disposing */

void livekit_ffi_initialize(fake_callback called, bool capture_logs, const char *sdk, const char *version) {
    (void)capture_logs, (void)sdk, (void)version;
    atomic_store(&callback, called);
}

static bool take_memory(void *value, void *context) {
    (void)context;
    memory_free(value);
    return true;
}

void livekit_ffi_dispose(void) {
    atomic_store(&callback, NULL);
    mutex_lock(&handles_lock);
    map_sweep(&handles, take_memory, NULL);
    mutex_unlock(&handles_lock);
}

void fake_emit(const uint8_t *data, size_t size) {
    fake_callback called = atomic_load(&callback);
    if (called) {
        called(data, size);
    }
}

/* Requests */

/* FfiRequest's members: the number of the answering member of FfiResponse, and of the field request_async_id (0: has none). */
static const struct {
    uint8_t response, async_id;
} members[] = {
    [2] = {2, 0},   [3] = {3, 4},   [4] = {4, 2},   [5] = {5, 4},   [6] = {6, 4},   [7] = {7, 8},   [8] = {8, 0},   [9] = {9, 3},
    [10] = {10, 3}, [11] = {11, 3}, [12] = {12, 2}, [13] = {13, 5}, [14] = {14, 5}, [15] = {15, 0}, [16] = {16, 0}, [17] = {17, 0},
    [18] = {18, 0}, [19] = {19, 2}, [20] = {20, 0}, [21] = {21, 0}, [22] = {22, 0}, [23] = {23, 0}, [24] = {24, 0}, [25] = {25, 0},
    [26] = {26, 0}, [27] = {27, 3}, [28] = {28, 0}, [29] = {29, 0}, [30] = {30, 0}, [31] = {32, 0}, [32] = {31, 0}, [33] = {33, 0},
    [34] = {34, 0}, [35] = {35, 0}, [36] = {36, 5}, [37] = {36, 6}, [38] = {37, 6}, [39] = {38, 0}, [40] = {39, 0}, [41] = {40, 0},
    [42] = {41, 0}, [43] = {42, 0}, [44] = {43, 5}, [45] = {44, 5}, [46] = {45, 5}, [47] = {46, 0}, [48] = {47, 0}, [49] = {48, 0},
    [50] = {49, 0}, [51] = {50, 0}, [52] = {51, 0}, [53] = {52, 0}, [54] = {53, 0}, [55] = {54, 2}, [56] = {55, 2}, [57] = {56, 0},
    [58] = {57, 2}, [59] = {58, 4}, [60] = {59, 4}, [61] = {60, 3}, [62] = {61, 3}, [63] = {62, 3}, [64] = {63, 3}, [65] = {64, 3},
    [66] = {65, 3}, [67] = {66, 4}, [68] = {67, 0}, [69] = {68, 3}, [70] = {69, 0}, [71] = {70, 0}, [72] = {71, 0}, [73] = {73, 0},
    [74] = {74, 0}, [75] = {75, 0}, [76] = {75, 3}, [77] = {76, 0}, [78] = {77, 0}, [79] = {78, 0}, [80] = {79, 0}, [81] = {80, 0},
    [82] = {81, 0}, [83] = {82, 0}, [84] = {84, 0}, [85] = {85, 4}, [86] = {86, 4}, [87] = {87, 0}, [88] = {88, 0}, [89] = {89, 0},
    [90] = {90, 0}, [91] = {91, 3},
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool opens_stream(uint32_t request) { return request == 20 || request == 24 || request == 25 || request == 32; }

static mutex_t requests_lock = MUTEX_INITIALIZER;
static struct memory *requests[KEPT_REQUESTS];
static size_t request_count;

static void keep_request(const uint8_t *data, size_t size) {
    struct memory *kept = memory_new(size);
    memcpy(kept->data, data, size);
    mutex_lock(&requests_lock);
    bool room = request_count < KEPT_REQUESTS;
    if (room) {
        requests[request_count] = kept;
    }
    request_count++;
    mutex_unlock(&requests_lock);
    if (!room) {
        free(kept);
    }
}

size_t fake_requests(void) {
    mutex_lock(&requests_lock);
    size_t count = request_count;
    mutex_unlock(&requests_lock);
    return count;
}

size_t fake_request(size_t index, uint8_t *buffer, size_t capacity) {
    size_t size = 0;
    mutex_lock(&requests_lock);
    if (index < request_count && index < KEPT_REQUESTS) {
        size = requests[index]->size;
        if (size <= capacity) {
            memcpy(buffer, requests[index]->data, size);
        }
    }
    mutex_unlock(&requests_lock);
    return size;
}

void fake_forget_requests(void) {
    mutex_lock(&requests_lock);
    for (size_t i = 0; i < request_count && i < KEPT_REQUESTS; i++) {
        free(requests[i]);
    }
    request_count = 0;
    mutex_unlock(&requests_lock);
}

void fake_set_handler(fake_handler answers) { atomic_store(&handler, answers); }

static _Thread_local struct memory *answer;

void fake_respond(const uint8_t *response, size_t size) {
    free(answer);
    answer = memory_new(size);
    memcpy(answer->data, response, size);
}

static uint8_t *put_message(uint8_t *at, uint32_t number, const uint8_t *message, size_t size) {
    at = wire_put_varint(at, (uint64_t)number << 3 | WIRE_BYTES);
    at = wire_put_varint(at, size);
    if (size) {
        memcpy(at, message, size);
    }
    return at + size;
}

static uint8_t *put_number(uint8_t *at, uint32_t number, uint64_t value) {
    return wire_put_varint(wire_put_varint(at, (uint64_t)number << 3 | WIRE_VARINT), value);
}

static void respond_by_default(uint32_t request, struct wire message) {
    uint8_t inner[64], *end = inner, buffer[96];
    struct field field;
    if (opens_stream(request)) {
        /* stream = 1 { handle = 1 { id = 1 } info = 2 { type = 1 } } */
        uint8_t handle[16], info[4], owned[32];
        size_t handle_size = (size_t)(put_number(handle, 1, fake_new_handle(0)) - handle);
        size_t info_size = (size_t)(put_number(info, 1, 0) - info);
        uint8_t *at = put_message(owned, 1, handle, handle_size);
        at = put_message(at, 2, info, info_size);
        end = put_message(inner, 1, owned, (size_t)(at - owned));
    } else if (members[request].async_id && wire_find(message, members[request].async_id, WIRE_VARINT, &field)) {
        end = put_number(inner, 1, field.value);
    }
    uint8_t *at = put_message(buffer, members[request].response, inner, (size_t)(end - inner));
    fake_respond(buffer, (size_t)(at - buffer));
}

/* The library says why a request was refused only in its log. */
static uint64_t refuse(void) {
    /* FfiEvent.logs = 18 { records = 1 { level = 1: ERROR, target = 2: "fake", message = 6: "refused" } } */
    static const uint8_t event[] = "\x92\x01\x13\x0a\x11\x08\x00\x12\x04" "fake" "\x32\x07" "refused";
    free(answer);
    answer = NULL;
    fake_emit(event, sizeof event - 1);
    return 0;
}

static bool is_request(const uint8_t *data, size_t size, struct field *field) {
    struct wire request = wire_of(data, size);
    return wire_next(&request, field) && field->type == WIRE_BYTES && field->number < LENGTH(members) &&
           members[field->number].response && request.at == request.end;
}

uint64_t livekit_ffi_request(const uint8_t *data, size_t size, const uint8_t **response, size_t *response_size) {
    struct field field;
    keep_request(data, size);
    if (!is_request(data, size, &field)) {
        return refuse();
    }
    fake_handler answers = atomic_load(&handler);
    int how = answers ? answers(data, size) : FAKE_BY_DEFAULT;
    if (how == FAKE_BY_DEFAULT) {
        respond_by_default(field.number, field.bytes);
    } else if (how == FAKE_REFUSE || !answer) {
        return refuse();
    }
    struct memory *memory = answer;
    answer = NULL;
    *response = memory->data;
    *response_size = memory->size;
    return own(memory);
}

/* Floods */

struct flood {
    struct fake_flood order;
    uint64_t index;
    pthread_t thread;
    uint32_t *cpu_ns;
    uint32_t *wall_ns;
    int64_t last_return;
};

static struct flood *floods;
static size_t flood_count;
static atomic_size_t running;

static void put_padded(uint8_t *at, uint64_t value) {
    for (int i = 0; i < WIRE_VARINT_MAX - 1; i++, value >>= 7) {
        at[i] = (uint8_t)(value | 0x80);
    }
    at[WIRE_VARINT_MAX - 1] = (uint8_t)value;
}

/* Put what is new in this event in the place of the template's stand-ins. */
static void fill_in(const uint8_t *data, uint8_t *copy, size_t size, uint64_t sequence, size_t memory) {
    static const uint64_t stand_ins[] = {FAKE_HANDLE, FAKE_POINTER, FAKE_SEQUENCE};
    uint8_t encoded[LENGTH(stand_ins)][WIRE_VARINT_MAX];
    for (size_t i = 0; i < LENGTH(stand_ins); i++) {
        wire_put_varint(encoded[i], stand_ins[i]);
    }
    memcpy(copy, data, size);
    uint64_t handle = 0;
    for (size_t at = 0; at + WIRE_VARINT_MAX <= size; at++) {
        if (memcmp(data + at, encoded[0], WIRE_VARINT_MAX) == 0) {
            handle = fake_new_handle(memory);
            put_padded(copy + at, handle);
        } else if (memcmp(data + at, encoded[1], WIRE_VARINT_MAX) == 0) {
            put_padded(copy + at, (uint64_t)(uintptr_t)fake_memory(handle));
        } else if (memcmp(data + at, encoded[2], WIRE_VARINT_MAX) == 0) {
            put_padded(copy + at, sequence);
        }
    }
}

static int64_t thread_cpu_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t moment) {
    struct timespec until = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static void *flood_main(void *context) {
    struct flood *flood = context;
    const struct fake_flood *order = &flood->order;
    uint8_t *event = checked(malloc(order->template_size + 1));
    int64_t begun = clock_now();
    for (uint64_t i = 0; i < order->count; i++) {
        if (order->per_second) {
            sleep_until(begun + (int64_t)(i * 1000000000 / order->per_second));
        }
        fill_in(order->template_data, event, order->template_size, flood->index << 32 | i, order->memory);
        int64_t wall = clock_now(), cpu = thread_cpu_now();
        fake_emit(event, order->template_size);
        flood->cpu_ns[i] = (uint32_t)(thread_cpu_now() - cpu);
        flood->last_return = clock_now();
        flood->wall_ns[i] = (uint32_t)(flood->last_return - wall);
    }
    free(event);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

bool fake_emit_from_threads(const struct fake_flood *orders, size_t threads) {
    if (flood_count) {
        return false; /* join the ones before first */
    }
    floods = checked(calloc(threads, sizeof *floods));
    for (flood_count = 0; flood_count < threads; flood_count++) {
        struct flood *flood = &floods[flood_count];
        flood->order = orders[flood_count];
        flood->index = flood_count;
        uint8_t *copy = checked(malloc(flood->order.template_size + 1));
        memcpy(copy, orders[flood_count].template_data, flood->order.template_size);
        flood->order.template_data = copy;
        flood->cpu_ns = checked(calloc(flood->order.count + 1, sizeof *flood->cpu_ns));
        flood->wall_ns = checked(calloc(flood->order.count + 1, sizeof *flood->wall_ns));
        atomic_fetch_add(&running, 1);
        checked(pthread_create(&flood->thread, NULL, flood_main, flood) ? NULL : flood);
    }
    return true;
}

size_t fake_threads_running(void) { return atomic_load(&running); }

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void summarise(uint32_t *values, uint64_t count, uint64_t *max, uint64_t *p999) {
    qsort(values, count, sizeof *values, compare);
    *max = count ? values[count - 1] : 0;
    *p999 = count ? values[(count - 1) * 999 / 1000] : 0;
}

void fake_join_threads(struct fake_timing *timing) {
    struct fake_timing ignored;
    timing = timing ? timing : &ignored;
    *timing = (struct fake_timing){0};
    for (size_t i = 0; i < flood_count; i++) {
        pthread_join(floods[i].thread, NULL);
        timing->calls += floods[i].order.count;
    }
    uint32_t *cpu = checked(calloc(timing->calls + 1, sizeof *cpu)), *wall = checked(calloc(timing->calls + 1, sizeof *wall));
    uint64_t at = 0;
    for (size_t i = 0; i < flood_count; i++) {
        struct flood *flood = &floods[i];
        memcpy(cpu + at, flood->cpu_ns, flood->order.count * sizeof *cpu);
        memcpy(wall + at, flood->wall_ns, flood->order.count * sizeof *wall);
        at += flood->order.count;
        timing->last_return_ns = flood->last_return > timing->last_return_ns ? flood->last_return : timing->last_return_ns;
        free((void *)flood->order.template_data);
        free(flood->cpu_ns);
        free(flood->wall_ns);
    }
    summarise(cpu, timing->calls, &timing->cpu_max_ns, &timing->cpu_p999_ns);
    summarise(wall, timing->calls, &timing->wall_max_ns, &timing->wall_p999_ns);
    free(cpu);
    free(wall);
    free(floods);
    floods = NULL;
    flood_count = 0;
}
