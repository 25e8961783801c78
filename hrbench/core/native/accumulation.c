/* Precision and recall of COCO for whole weights of the images, as metrics/coco/tables.py computes them with NumPy.
 *
 * An event is a detection that can change a number: its image in the upper 32 bits, then 16 bits at which thresholds it
 * counts, then 16 bits at which it is a hit.
 */
#include <stdlib.h>
#include <string.h>

#include "hrbench_native.h"

enum { MOST = 16, TILE = 8 }; /* thresholds; columns that are written together, a line of the cache */

#define SPACING 2.220446049250313e-16 /* numpy.spacing(1), which the official denominator has */

/* The events of each of K area ranges and limits, by category and falling score; gives 0.
 *
 * order: rows of the N detections, by category and falling score.
 * offsets: (I + 1) of the images; in an image rows are by category and falling score.
 * category, hits (N, A), ignored (N, A): of each row.
 * keys: (K, 3) area range, limit of the rows of an image and category, and whether precision is wanted: if not, events
 *     are hits alone.
 * every: bits of all thresholds.
 * place: (K, C) the column of each category, rising, or -1 to leave it out.
 * events: (K, N). starts: (K, C + 1), where the events of each column begin.
 */
EXPORT i64 hrb_events(const i64 *order, i64 many, const i64 *offsets, i64 edges, const int32_t *category, i64 many2,
                      const uint16_t *hits, i64 bits, const uint16_t *ignored, i64 bits2, i64 areas, const i64 *keys,
                      i64 triples, i64 every, const int32_t *place, i64 places, u64 *events, i64 room, i64 *starts,
                      i64 room2)
{
    i64 number = triples / 3, categories = number ? places / number : 0;
    if (many2 != many || bits2 != bits || areas < 1 || bits != many * areas || triples != 3 * number || edges < 1)
        return HRB_BOUNDS;
    if (places != number * categories || room != number * many || room2 != number * (categories + 1))
        return HRB_BOUNDS;
    if (offsets[0] != 0 || offsets[edges - 1] != many || many > UINT32_MAX || edges > INT32_MAX)
        return HRB_BOUNDS;
    uint32_t *image = malloc((size_t)(many + 1) * sizeof *image), *rank = malloc((size_t)(many + 1) * sizeof *rank);
    i64 *length = calloc((size_t)(2 * number + 1), sizeof *length), *upto = length + number, result = HRB_BOUNDS;
    if (!image || !rank || !length) {
        result = HRB_MEMORY;
        goto end;
    }
    for (i64 k = 0; k < number; k++)
        if (keys[3 * k] < 0 || keys[3 * k] >= areas)
            goto end;
    for (i64 i = 0; i + 1 < edges; i++) {
        if (offsets[i + 1] < offsets[i] || offsets[i + 1] > many)
            goto end;
        for (i64 n = offsets[i]; n < offsets[i + 1]; n++) {
            image[n] = (uint32_t)i;
            rank[n] = n > offsets[i] && category[n] == category[n - 1] ? rank[n - 1] + 1 : 0;
        }
    }
    i64 at = 0;
    for (i64 c = 0; c < categories; c++) {
        for (; at < many; at++) {
            i64 row = order[at];
            if (row < 0 || row >= many)
                goto end;
            if (category[row] != c)
                break;
            for (i64 k = 0; k < number; k++) {
                if (place[k * categories + c] < 0 || rank[row] >= keys[3 * k + 1])
                    continue;
                uint16_t hit = hits[row * areas + keys[3 * k]];
                uint16_t counted = (uint16_t)(~ignored[row * areas + keys[3 * k]] & every);
                if (!hit && (!counted || !keys[3 * k + 2]))
                    continue;
                events[k * many + length[k]++] = (u64)image[row] << 32 | (u64)counted << 16 | hit;
                if (hit) /* what comes after the last hit of a category cannot change a number */
                    upto[k] = length[k];
            }
        }
        for (i64 k = 0; k < number; k++) {
            i64 column = place[k * categories + c];
            length[k] = upto[k];
            if (column >= categories)
                goto end;
            if (column >= 0)
                starts[k * (categories + 1) + column + 1] = upto[k];
        }
    }
    if (at == many)
        result = 0;
end:
    free(image), free(rank), free(length);
    return result;
}

/* Adds the objects (B, C) of each category under weights (B, images): by category, of `number` objects in an image. */
EXPORT i64 hrb_objects(const int32_t *image, i64 pairs, const int32_t *number, i64 pairs2, const i64 *starts,
                       i64 edges, const int32_t *weights, i64 all, i64 images, int32_t *objects, i64 room)
{
    i64 categories = edges - 1, rows = images ? all / images : 0;
    if (pairs2 != pairs || edges < 1 || all != rows * images || room != rows * categories || starts[0] < 0)
        return HRB_BOUNDS;
    for (i64 n = 0; n < pairs; n++)
        if (image[n] < 0 || image[n] >= images)
            return HRB_BOUNDS;
    for (i64 c = 0; c < categories; c++)
        if (starts[c + 1] < starts[c] || starts[c + 1] > pairs)
            return HRB_BOUNDS;
    for (i64 b = 0; b < rows; b++)
        for (i64 c = 0; c < categories; c++) {
            i64 sum = 0;
            for (i64 n = starts[c]; n < starts[c + 1]; n++)
                sum += (i64)weights[b * images + image[n]] * number[n];
            objects[b * categories + c] = (int32_t)sum;
        }
    return 0;
}

/* Of one category under one weighting: hits at each threshold, and the best precision at each recall or beyond. */
static void accumulate(const u64 *events, i64 many, const int32_t *weight, i64 total, i64 thresholds,
                       const double *recalls, i64 size, i64 *found, double *best)
{
    const uint32_t every = (uint32_t)(((u64)1 << thresholds) - 1);
    const double objects = (double)(total > 1 ? total : 1);
    i64 base = 0, extra[MOST] = {0}, reached[MOST] = {0};
    memset(found, 0, MOST * sizeof *found);
    memset(best, 0, (size_t)(thresholds * size) * sizeof *best);
    for (i64 n = 0; n < many; n++) {
        i64 times = weight[events[n] >> 32];
        uint32_t counted = events[n] >> 16 & 0xffff, hits = events[n] & 0xffff;
        if (!times)
            continue;
        if (counted == every)
            base += times;
        else
            for (uint32_t left = counted; left; left &= left - 1)
                extra[__builtin_ctz(left)] += times;
        for (; hits; hits &= hits - 1) {
            int t = __builtin_ctz(hits);
            found[t] += times;
            if (!size)
                continue;
            double precision = (double)found[t] / ((double)(base + extra[t]) + SPACING);
            double recall = (double)found[t] / objects;
            i64 at = reached[t];
            while (at < size && recall >= recalls[at])
                at++;
            reached[t] = at;
            if (at && best[t * size + at - 1] < precision)
                best[t * size + at - 1] = precision;
        }
    }
    for (i64 t = 0; t < thresholds; t++)
        for (i64 r = size - 2; r >= 0; r--)
            if (best[t * size + r] < best[t * size + r + 1])
                best[t * size + r] = best[t * size + r + 1];
}

/* Precision and recall for B weightings of the images, of the K categories that each keeps; gives 0.
 *
 * events, starts: as `hrb_events` gives them for the C categories.
 * weights: (B, images). objects: (B, C) under each. keep: (B, C).
 * recalls: (R) rising; none: precision is not wanted.
 * precision: (B, T x R x C), in the first places of each row (T, R, K). recall: (B, T x C), likewise (T, K).
 */
EXPORT i64 hrb_tables(const u64 *events, i64 many, const i64 *starts, i64 edges, const int32_t *weights, i64 all,
                      i64 images, const int32_t *objects, i64 pairs, const uint8_t *keep, i64 pairs2, i64 thresholds,
                      const double *recalls, i64 size, double *precision, i64 room, double *recall, i64 room2)
{
    i64 categories = edges - 1, rows = images ? all / images : 0, cells = thresholds * size;
    if (edges < 1 || all != rows * images || pairs != rows * categories || pairs2 != pairs || starts[0] < 0)
        return HRB_BOUNDS;
    if (thresholds < 1 || thresholds > MOST || room != cells * pairs || room2 != thresholds * pairs)
        return HRB_BOUNDS;
    for (i64 c = 0; c < categories; c++)
        if (starts[c + 1] < starts[c] || starts[c + 1] > many)
            return HRB_BOUNDS;
    for (i64 n = starts[0]; n < starts[categories]; n++)
        if ((i64)(events[n] >> 32) >= images)
            return HRB_BOUNDS;
    double *tile = malloc((size_t)(TILE * cells + 1) * sizeof *tile);
    if (!tile)
        return HRB_MEMORY;
    for (i64 b = 0; b < rows; b++) {
        i64 kept = 0, column = 0, found[MOST];
        for (i64 c = 0; c < categories; c++)
            kept += keep[b * categories + c] != 0;
        double *table = precision + b * cells * categories, *reached = recall + b * thresholds * categories;
        for (i64 c = 0; c < categories; c++) {
            if (!keep[b * categories + c])
                continue;
            i64 total = objects[b * categories + c], filled = column % TILE + 1;
            accumulate(events + starts[c], starts[c + 1] - starts[c], weights + b * images, total, thresholds,
                       recalls, size, found, tile + (filled - 1) * cells);
            for (i64 t = 0; t < thresholds; t++)
                reached[t * kept + column] = (double)found[t] / (double)(total > 1 ? total : 1);
            column++;
            if (filled < TILE && column < kept)
                continue;
            for (i64 at = 0; at < cells; at++)
                for (i64 k = 0; k < filled; k++)
                    table[at * kept + column - filled + k] = tile[k * cells + at];
        }
    }
    free(tile);
    return 0;
}
