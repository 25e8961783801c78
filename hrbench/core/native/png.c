/* Undoes the filters of a PNG of one channel (ISO/IEC 15948, section 9), its rows inflated already.
 *
 * Label maps have long runs, so most filtered bytes are zero. Where the byte to the left equals the one above that,
 * Paeth's predictor is the byte above; where the byte above equals the one to its left, it is the byte to the left. So
 * eight zeros at once are a copy of the row above, or a repetition of the pixel to the left.
 */
#include "hrbench_native.h"

#include <stdlib.h>
#include <string.h>

enum { NONE, SUB, UP, AVERAGE, PAETH };

static uint8_t paeth(int left, int above, int corner)
{
    int by_left = abs(above - corner), by_above = abs(left - corner), by_corner = abs(left + above - 2 * corner);
    if (by_left <= by_above && by_left <= by_corner)
        return (uint8_t)left;
    return (uint8_t)(by_above <= by_corner ? above : corner);
}

static u64 word_at(const uint8_t *at)
{
    u64 word;
    memcpy(&word, at, 8);
    return word;
}

/* A pixel of one or two bytes, eight bytes long. */
static u64 repeated(const uint8_t *pixel, i64 size)
{
    uint8_t bytes[8];
    for (int n = 0; n < 8; n++)
        bytes[n] = pixel[n % size];
    return word_at(bytes);
}

static void undo_paeth(const uint8_t *from, const uint8_t *above, uint8_t *out, i64 width, i64 size)
{
    i64 at = 0;
    for (; at < size; at++) /* left and corner are zero */
        out[at] = (uint8_t)(from[at] + above[at]);
    while (at < width) {
        if (at + 8 <= width && word_at(from + at) == 0) {
            if (memcmp(out + at - size, above + at - size, (size_t)size) == 0) {
                memcpy(out + at, above + at, 8);
                at += 8;
                continue;
            }
            if (word_at(above + at) == repeated(above + at - size, size)) {
                u64 word = repeated(out + at - size, size);
                memcpy(out + at, &word, 8);
                at += 8;
                continue;
            }
        }
        for (i64 end = at + size; at < end && at < width; at++)
            out[at] = (uint8_t)(from[at] + paeth(out[at - size], above[at], above[at - size]));
    }
}

/* rows: `width` bytes each, after the number of its filter. size: bytes of a pixel, one or two. out: the pixels, rows
 * without filters; those of two bytes in the order of this machine. A filter that does not exist is HRB_NOT_MINE. */
EXPORT i64 hrb_unfiltered(const uint8_t *rows, i64 many, i64 width, i64 size, uint8_t *out, i64 room)
{
    if (size < 1 || size > 2 || width < size || width % size || many % (width + 1) || room != many / (width + 1) * width)
        return HRB_BOUNDS;
    const i64 height = many / (width + 1);
    uint8_t *zeros = calloc((size_t)width, 1);
    if (!zeros)
        return HRB_MEMORY;
    const uint8_t *above = zeros;
    i64 result = 0;
    for (i64 row = 0; row < height && !result; row++) {
        const uint8_t *from = rows + row * (width + 1) + 1;
        uint8_t *to = out + row * width;
        switch (from[-1]) {
        case NONE:
            memcpy(to, from, (size_t)width);
            break;
        case SUB:
            memcpy(to, from, (size_t)size);
            for (i64 at = size; at < width; at++)
                to[at] = (uint8_t)(from[at] + to[at - size]);
            break;
        case UP:
            for (i64 at = 0; at < width; at++)
                to[at] = (uint8_t)(from[at] + above[at]);
            break;
        case AVERAGE:
            for (i64 at = 0; at < size; at++)
                to[at] = (uint8_t)(from[at] + above[at] / 2);
            for (i64 at = size; at < width; at++)
                to[at] = (uint8_t)(from[at] + (to[at - size] + above[at]) / 2);
            break;
        case PAETH:
            undo_paeth(from, above, to, width, size);
            break;
        default:
            result = HRB_NOT_MINE;
        }
        above = to;
    }
    free(zeros);
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    if (!result && size == 2 && first) /* a PNG has the high byte first */
        for (i64 at = 0; at + 1 < room; at += 2) {
            uint8_t high = out[at];
            out[at] = out[at + 1];
            out[at + 1] = high;
        }
    return result;
}
