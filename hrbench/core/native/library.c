/* What the library says of itself. */
#include "hrbench_native.h"

#ifndef HRBENCH_SOURCES
#define HRBENCH_SOURCES ""
#endif

/* The digest of the sources that it was built of. */
EXPORT const char *hrb_sources(void) { return HRBENCH_SOURCES; }

/* For the tests of the calls: the sum of an array, and `scale` times it into another of equal length. */
EXPORT i64 hrb_scaled(const i64 *values, i64 many, i64 scale, i64 *out, i64 room)
{
    if (room != many)
        return HRB_BOUNDS;
    u64 sum = 0;
    for (i64 n = 0; n < many; n++) {
        out[n] = (i64)((u64)values[n] * (u64)scale);
        sum += (u64)values[n];
    }
    return (i64)(sum & INT64_MAX);
}
