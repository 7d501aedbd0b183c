/* An audio filter of the shape that livekit-ffi loads: it makes sound four times as quiet, or by as much as its options say.

   The functions are those that livekit's plugin.rs looks up. Sound comes in pieces of 10 ms, all channels interleaved. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct session {
    int divisor;
};

static int sessions;

int32_t audio_filter_on_load(const char *options) {
    return options == NULL;
}

void *audio_filter_create(uint32_t sample_rate, const char *options, const char *stream_info) {
    (void)sample_rate;
    (void)stream_info;
    if (strstr(options, "refuse") != NULL)
        return NULL;
    struct session *session = malloc(sizeof *session);
    const char *divisor = strstr(options, "\"divisor\": ");
    session->divisor = divisor == NULL ? 4 : atoi(divisor + strlen("\"divisor\": "));
    sessions += 1;
    return session;
}

void audio_filter_destroy(const void *session) {
    sessions -= 1;
    free((void *)session);
}

int audio_filter_sessions(void) {
    return sessions;
}

void audio_filter_process_int16(const void *session, size_t count, const int16_t *in, int16_t *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (int16_t)(in[i] / ((const struct session *)session)->divisor);
}

void audio_filter_process_float(const void *session, size_t count, const float *in, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] / (float)((const struct session *)session)->divisor;
}

void audio_filter_update_stream_info(const void *session, const char *stream_info) {
    (void)session;
    (void)stream_info;
}
