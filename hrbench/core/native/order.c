/* Rows in order of key and falling score, by counting digits: stable, and linear in the rows. */
#include <stdlib.h>
#include <string.h>

#include "hrbench_native.h"

enum { DIGIT = 11, SIZE = 1 << DIGIT, DIGITS = 6 };

typedef struct {
    u64 *key;
    uint32_t *row;
} rows;

/* The bits of a finite double, as a whole number that falls where the double rises; both zeros give the same. */
static u64 falling(double value)
{
    u64 bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? bits : ~bits & INT64_MAX;
}

/* Sorts `many` rows by their keys; where they lie in the end is where `from` points. */
static void by_key(rows *from, rows *to, i64 many, uint32_t (*count)[SIZE])
{
    memset(count, 0, DIGITS * sizeof *count);
    for (i64 n = 0; n < many; n++)
        for (int d = 0; d < DIGITS; d++)
            count[d][from->key[n] >> (d * DIGIT) & (SIZE - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t *at = count[d], sum = 0;
        if (many == 0 || at[from->key[0] >> (d * DIGIT) & (SIZE - 1)] == (uint32_t)many)
            continue; /* all have the same digit */
        for (int value = 0; value < SIZE; value++) {
            uint32_t here = at[value];
            at[value] = sum;
            sum += here;
        }
        for (i64 n = 0; n < many; n++) {
            u64 key = from->key[n];
            uint32_t place = at[key >> (d * DIGIT) & (SIZE - 1)]++;
            to->key[place] = key;
            to->row[place] = from->row[n];
        }
        rows swapped = *from;
        *from = *to;
        *to = swapped;
    }
}

/* Writes the rows whose key is not negative to `out`, by key, falling score, and position; gives their number.
 *
 * score: finite, one for each key, or none at all.
 */
EXPORT i64 hrb_order(const i64 *keys, i64 many, const double *score, i64 scores, i64 *out, i64 room)
{
    if ((scores && scores != many) || room < many)
        return HRB_BOUNDS;
    if (many > UINT32_MAX)
        return HRB_NOT_MINE;
    i64 kept = 0;
    for (i64 n = 0; n < many; n++)
        kept += keys[n] >= 0;
    u64 *key = malloc((size_t)(2 * kept + 1) * sizeof *key);
    uint32_t *row = malloc((size_t)(2 * kept + 1) * sizeof *row);
    uint32_t(*count)[SIZE] = malloc(DIGITS * sizeof *count);
    if (!key || !row || !count) {
        free(key), free(row), free(count);
        return HRB_MEMORY;
    }
    rows from = {key, row}, to = {key + kept, row + kept};
    i64 at = 0;
    for (i64 n = 0; n < many; n++)
        if (keys[n] >= 0) {
            from.row[at] = (uint32_t)n;
            from.key[at++] = scores ? falling(score[n]) : 0;
        }
    if (scores)
        by_key(&from, &to, kept, count);
    for (i64 n = 0; n < kept; n++)
        from.key[n] = (u64)keys[from.row[n]];
    by_key(&from, &to, kept, count);
    for (i64 n = 0; n < kept; n++)
        out[n] = from.row[n];
    free(key), free(row), free(count);
    return kept;
}
