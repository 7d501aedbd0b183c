/* Bugs for the sanitizers to find, put into the bridge from outside: `run` includes this file before everything else. */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef PLANT_OVERFLOW /* AddressSanitizer: one byte too many is copied into each event */
#define memcpy(to, from, size) memcpy(to, from, (size) + 1)
#endif

#ifdef PLANT_LEAK /* LeakSanitizer: nothing is ever freed */
#define free(memory) ((void)(memory))
#endif

#ifdef PLANT_UNDEFINED /* UndefinedBehaviorSanitizer: a clock so far in the future that its nanoseconds overflow */
#define clock_gettime(clock, now) ((void)(clock), (now)->tv_sec = INT64_MAX / 2, (now)->tv_nsec = 0)
#endif

#ifdef PLANT_RACE /* ThreadSanitizer: no lock is ever taken */
#define pthread_mutex_lock(mutex) ((void)(mutex))
#define pthread_mutex_unlock(mutex) ((void)(mutex))
#endif
