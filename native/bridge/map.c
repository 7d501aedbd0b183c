#include "map.h"

#include <stdlib.h>

#define FIRST_BUCKET_COUNT 64

/* Handles and async ids are consecutive numbers: Fibonacci hashing spreads them over the high bits. */
static size_t bucket_of(uint64_t key, size_t bucket_count) {
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (bucket_count - 1);
}

static struct map_entry **find(const struct map *map, uint64_t key) {
    struct map_entry **at = &map->buckets[bucket_of(key, map->bucket_count)];
    while (*at && (*at)->key != key) {
        at = &(*at)->next;
    }
    return at;
}

static bool grow(struct map *map) {
    size_t count = map->bucket_count ? map->bucket_count * 2 : FIRST_BUCKET_COUNT;
    struct map_entry **buckets = calloc(count, sizeof *buckets);
    if (!buckets) {
        return false;
    }
    for (size_t i = 0; i < map->bucket_count; i++) {
        struct map_entry *entry = map->buckets[i];
        while (entry) {
            struct map_entry *next = entry->next;
            struct map_entry **head = &buckets[bucket_of(entry->key, count)];
            entry->next = *head;
            *head = entry;
            entry = next;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = count;
    return true;
}

static void *unlink_entry(struct map *map, struct map_entry **at) {
    struct map_entry *entry = *at;
    void *value = entry->value;
    *at = entry->next;
    free(entry);
    map->size--;
    return value;
}

void *map_get(const struct map *map, uint64_t key) {
    if (!map->size) {
        return NULL;
    }
    struct map_entry *entry = *find(map, key);
    return entry ? entry->value : NULL;
}

bool map_put(struct map *map, uint64_t key, void *value) {
    if (map->size >= map->bucket_count && !grow(map)) {
        return false;
    }
    struct map_entry **at = find(map, key);
    if (*at) {
        (*at)->value = value;
        return true;
    }
    struct map_entry *entry = malloc(sizeof *entry);
    if (!entry) {
        return false;
    }
    *entry = (struct map_entry){NULL, key, value};
    *at = entry;
    map->size++;
    return true;
}

void *map_remove(struct map *map, uint64_t key) {
    if (!map->size) {
        return NULL;
    }
    struct map_entry **at = find(map, key);
    return *at ? unlink_entry(map, at) : NULL;
}

void map_sweep(struct map *map, bool (*take)(void *value, void *context), void *context) {
    for (size_t i = 0; i < map->bucket_count; i++) {
        struct map_entry **at = &map->buckets[i];
        while (*at) {
            if (take((*at)->value, context)) {
                unlink_entry(map, at);
            } else {
                at = &(*at)->next;
            }
        }
    }
}

void map_clear(struct map *map) {
    for (size_t i = 0; i < map->bucket_count; i++) {
        while (map->buckets[i]) {
            unlink_entry(map, &map->buckets[i]);
        }
    }
    free(map->buckets);
    *map = (struct map){0};
}
