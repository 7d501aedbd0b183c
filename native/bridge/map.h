/* A hash map from uint64 keys to pointers, which it does not own. Not thread-safe: its owner's lock guards it. */

#ifndef LIVEKIT_TRIO_MAP_H
#define LIVEKIT_TRIO_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct map_entry *next;
    uint64_t key;
    void *value;
};

/* An empty map is all zeros. */
struct map {
    struct map_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t size;
};

/* NULL if the key is not there. */
void *map_get(const struct map *map, uint64_t key);

/* Sets or replaces; false if there is no memory for it. A value is never NULL. */
bool map_put(struct map *map, uint64_t key, void *value);

/* The value that was there, or NULL. */
void *map_remove(struct map *map, uint64_t key);

/* Remove every entry whose value *take* accepts. */
void map_sweep(struct map *map, bool (*take)(void *value, void *context), void *context);

void map_clear(struct map *map);

#endif
