/* Precision and recall of COCO for whole weights of the images, as metrics/coco/tables.py computes them with NumPy.
 *
 * An event is a detection that can change a number: its image in the upper 32 bits, then 16 bits at which thresholds it
 * counts, then 16 bits at which it is a hit.
 */
#include <stdlib.h>
#include <string.h>

#include "hrbench_native.h"

enum { MOST = 16, TILE = 8 }; /* thresholds; columns that are written together, a line of the cache */

typedef double pair __attribute__((vector_size(16)));
typedef i64 bits __attribute__((vector_size(16)));

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
                      const uint16_t *hits, i64 flags, const uint16_t *ignored, i64 flags2, i64 areas, const i64 *keys,
                      i64 triples, i64 every, const int32_t *place, i64 places, u64 *events, i64 room, i64 *starts,
                      i64 room2)
{
    i64 number = triples / 3, categories = number ? places / number : 0;
    if (many2 != many || flags2 != flags || areas < 1 || flags != many * areas || triples != 3 * number || edges < 1)
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

/* Hits of one category at each threshold, under one weighting. */
static void count(const u64 *events, i64 many, const int32_t *weight, i64 *found)
{
    memset(found, 0, MOST * sizeof *found);
    for (i64 n = 0; n < many; n++) {
        i64 times = weight[events[n] >> 32];
        for (uint32_t hits = events[n] & 0xffff; hits; hits &= hits - 1)
            found[__builtin_ctz(hits)] += times;
    }
}

/* The same, and the best precision where each recall is first reached: best[(t x R + r) x TILE], zero before.
 *
 * objects: of the category under the weighting, one or more; no threshold has more hits.
 * reached: room for objects + 1 numbers: how many recalls so many hits reach, filled as far as is needed.
 */
static void accumulate(const u64 *events, i64 many, const int32_t *weight, i64 objects, i64 thresholds,
                       const double *recalls, i64 size, int32_t *reached, i64 *found, double *best)
{
    const uint32_t every = (uint32_t)(((u64)1 << thresholds) - 1);
    const double total = (double)objects;
    i64 base = 0, extra[MOST] = {0}, known = 0;
    int32_t recall = 0;
    memset(found, 0, MOST * sizeof *found);
    for (i64 n = 0; n < many; n++) {
        i64 times = weight[events[n] >> 32];
        uint32_t counted = events[n] >> 16 & 0xffff, hits = events[n] & 0xffff;
        if (counted == every)
            base += times;
        else
            for (uint32_t left = counted; left; left &= left - 1)
                extra[__builtin_ctz(left)] += times;
        if (!hits || !times)
            continue;
        for (; hits; hits &= hits - 1) {
            int t = __builtin_ctz(hits);
            i64 now = found[t] += times;
            double precision = (double)now / ((double)(base + extra[t]) + SPACING);
            if (now > objects)
                now = objects; /* of a state that was not measured */
            while (known < now) {
                double share = (double)++known / total;
                while (recall < size && share >= recalls[recall])
                    recall++;
                reached[known] = recall;
            }
            if (!reached[now])
                continue;
            double *cell = &best[(t * size + reached[now] - 1) * TILE];
            *cell = precision > *cell ? precision : *cell;
        }
    }
}

/* Writes the columns of a tile as the maximum from each recall on, to a table of rows of `width`; zeroes the tile. */
static void envelope(double *restrict tile, i64 thresholds, i64 size, double *restrict table, i64 width, i64 columns)
{
    for (i64 t = 0; t < thresholds; t++) {
        pair most[TILE / 2] = {{0}};
        for (i64 r = size - 1; r >= 0; r--) {
            double *cells = &tile[(t * size + r) * TILE], *row = &table[(t * size + r) * width];
            for (int k = 0; k < TILE / 2; k++) {
                pair here;
                memcpy(&here, cells + 2 * k, sizeof here);
                bits greater = here > most[k];
                most[k] = (pair)(((bits)here & greater) | ((bits)most[k] & ~greater));
                if (columns == TILE)
                    memcpy(row + 2 * k, &most[k], sizeof here);
            }
            memset(cells, 0, TILE * sizeof *cells);
            for (int k = 0; columns < TILE && k < columns; k++)
                row[k] = most[k / 2][k % 2];
        }
    }
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
    i64 categories = edges - 1, rows = images ? all / images : 0, cells = thresholds * size, most = 1;
    if (edges < 1 || all != rows * images || pairs != rows * categories || pairs2 != pairs || starts[0] < 0)
        return HRB_BOUNDS;
    if (thresholds < 1 || thresholds > MOST || room != cells * pairs || room2 != thresholds * pairs)
        return HRB_BOUNDS;
    for (i64 c = 0; c < categories; c++)
        if (starts[c + 1] < starts[c] || starts[c + 1] > many)
            return HRB_BOUNDS;
    u64 last = 0;
    for (i64 n = starts[0]; n < starts[categories]; n++)
        last = events[n] > last ? events[n] : last;
    if (many && (i64)(last >> 32) >= images)
        return HRB_BOUNDS;
    for (i64 n = 0; n < pairs; n++)
        most = objects[n] > most ? objects[n] : most;
    double *tile = calloc((size_t)(TILE * cells + 1), sizeof *tile);
    int32_t *reached = malloc((size_t)(most + 1) * sizeof *reached);
    if (!tile || !reached) {
        free(tile), free(reached);
        return HRB_MEMORY;
    }
    for (i64 b = 0; b < rows; b++) {
        i64 kept = 0, column = 0, found[MOST];
        for (i64 c = 0; c < categories; c++)
            kept += keep[b * categories + c] != 0;
        double *table = precision + b * cells * categories, *share = recall + b * thresholds * categories;
        for (i64 c = 0; c < categories; c++) {
            if (!keep[b * categories + c])
                continue;
            i64 total = objects[b * categories + c] > 1 ? objects[b * categories + c] : 1, at = column % TILE;
            const u64 *own = events + starts[c];
            if (size)
                accumulate(own, starts[c + 1] - starts[c], weights + b * images, total, thresholds, recalls, size,
                           reached, found, tile + at);
            else
                count(own, starts[c + 1] - starts[c], weights + b * images, found);
            for (i64 t = 0; t < thresholds; t++)
                share[t * kept + column] = (double)found[t] / (double)total;
            column++;
            if (size && (at == TILE - 1 || column == kept))
                envelope(tile, thresholds, size, table + column - at - 1, kept, at + 1);
        }
    }
    free(tile), free(reached);
    return 0;
}
