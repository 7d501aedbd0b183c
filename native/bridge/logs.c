/* What the library logs: filtered on the native thread, kept in a bounded list until the loop asks for it. */

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 1024 /* records; a join at level trace logs some hundreds */

enum { BATCH_RECORDS = 1, RECORD_LEVEL = 1 };

static atomic_uint level; /* 0 = error ... 4 = trace; errors are always kept */

static mutex_t lock = MUTEX_INITIALIZER;
static struct record *first;
static struct record **last = &first;
static size_t waiting;

void core_set_log_level(uint32_t graver_or_equal) { atomic_store(&level, graver_or_equal); }

static struct record *record_new(struct wire data) {
    struct record *record = malloc(sizeof *record + wire_size(&data));
    if (record) {
        record->next = NULL;
        record->size = wire_size(&data);
        memcpy(record->data, data.at, record->size);
    }
    return record;
}

static void keep(struct record *record) {
    struct record *oldest = NULL;
    mutex_lock(&lock);
    if (waiting == CAPACITY) {
        oldest = first;
        first = oldest->next;
    } else {
        waiting++;
    }
    *last = record;
    last = &record->next;
    mutex_unlock(&lock);
    if (oldest) {
        count(DROPPED_LOGS, 1);
        free(oldest);
    }
}

static bool is_wanted(struct wire record) {
    struct field field;
    return !wire_find(record, RECORD_LEVEL, WIRE_VARINT, &field) || field.value <= atomic_load_explicit(&level, memory_order_relaxed);
}

/* Every batch wakes, not only the one that makes the list non-empty: whoever was woken before may have closed its inbox. */
void logs_keep(struct wire batch) {
    bool kept = false;
    struct field field;
    while (wire_next(&batch, &field)) {
        if (field.number != BATCH_RECORDS || field.type != WIRE_BYTES || !is_wanted(field.bytes)) {
            continue;
        }
        struct record *record = record_new(field.bytes);
        if (record) {
            keep(record);
            kept = true;
        } else {
            count(DROPPED_LOGS, 1);
        }
    }
    if (kept) {
        inbox_wake_oldest();
    }
}

bool logs_waiting(void) {
    mutex_lock(&lock);
    bool any = waiting != 0;
    mutex_unlock(&lock);
    return any;
}

struct record *core_take_logs(size_t *count) {
    mutex_lock(&lock);
    struct record *records = first;
    *count = waiting;
    first = NULL;
    last = &first;
    waiting = 0;
    mutex_unlock(&lock);
    return records;
}
