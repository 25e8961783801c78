/* Masks of files to compressed codes, areas and boxes. */
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "polygons.h"

enum { NO_MASK, POLYGONS, RUNS, CODE };

struct source {
    const double *point;
    const i64 *ring, *run, *parts;
    const uint8_t *code;
    i64 points, rings, runs, codes;
};

/* Runs of a mask of uncompressed lengths; how many, or HRB_NOT_MINE if they do not cover the image. */
static i64 given_runs(const i64 *lengths, i64 many, i64 pixels, uint32_t *runs)
{
    i64 total = 0;
    for (i64 n = 0; n < many; n++) {
        if (lengths[n] < 0 || lengths[n] > pixels || (total += lengths[n]) > pixels)
            return HRB_NOT_MINE;
        runs[n] = (uint32_t)lengths[n];
    }
    return many && total == pixels ? many : HRB_NOT_MINE;
}

/* Masks from row cursor[0] on, until `out` is full; the number of rows that are done in all, which stays in cursor[0].
 *
 * kind, parts, size, point, ring, run, code: as hrb_coco_rows writes them. own: (P, 2) height and width of the images.
 * kept: (P,) whether the code will be needed. cursor: (6,) rows, points, rings, runs and characters taken, and what is
 * written to `out`. area (P,), plain (P,), box (P, 4) left, top, right, bottom in px; out, lengths (P,): the codes.
 */
EXPORT i64 hrb_coco_masks(const uint8_t *kind, i64 rows, const i64 *parts, i64 parted, const i64 *size, i64 sizes,
                          const i64 *own, i64 owns, const uint8_t *kept, i64 keeps, const double *point, i64 points,
                          const i64 *ring, i64 rings, const i64 *run, i64 runs, const uint8_t *code, i64 codes,
                          i64 *cursor, i64 cursors, double *area, i64 areas, uint8_t *plain, i64 plains, int32_t *box,
                          i64 boxes, i64 *lengths, i64 lengthy, uint8_t *out, i64 room)
{
    if (parted < rows || sizes != 2 * rows || owns != 2 * rows || keeps != rows || cursors != 6 || areas != rows
        || plains != rows || boxes != 4 * rows || lengthy != rows)
        return HRB_BOUNDS;
    struct canvas canvas = {0};
    uint32_t *own_runs = NULL, *found = NULL;
    i64 own_room = 0, result = 0;
    for (; cursor[0] < rows; cursor[0]++) {
        i64 n = cursor[0], height = own[2 * n], width = own[2 * n + 1], part = parts[n], many;
        i64 before[3] = {cursor[1], cursor[2], cursor[3]}, taken = 0;
        result = HRB_NOT_MINE;
        if (height < 1 || width < 1 || height >= MAX_PIXELS || width >= MAX_PIXELS || height * width >= MAX_PIXELS)
            break;
        if (part < 1) /* an empty code */
            break;
        result = HRB_BOUNDS;
        if (n < 0 || cursor[1] < 0 || cursor[2] < 0 || cursor[3] < 0 || cursor[4] < 0 || cursor[5] < 0)
            break;
        if (kind[n] != POLYGONS) {
            result = HRB_NOT_MINE;
            if (size[2 * n] != height || size[2 * n + 1] != width)
                break;
            if (part > own_room) {
                result = HRB_MEMORY;
                void *more = part > MAX_PIXELS ? NULL : realloc(own_runs, (size_t)part * sizeof *own_runs);
                if (!more)
                    break;
                own_runs = more;
                own_room = part;
            }
            found = own_runs;
            result = HRB_BOUNDS;
        }
        if (kind[n] == POLYGONS) {
            if (part > rings - cursor[2])
                break;
            int even = 1;
            for (i64 r = 0; r < part; r++) {
                i64 length = ring[cursor[2] + r];
                even &= length >= 6 && length % 2 == 0 && length <= points - cursor[1] - taken;
                if (!even)
                    break;
                taken += length;
            }
            if (!even)
                break;
            many = polygon_runs(&canvas, point + cursor[1], ring + cursor[2], part, height, width, &found);
            before[0] += taken;
            before[1] += part;
        } else if (kind[n] == RUNS) {
            if (part > runs - cursor[3])
                break;
            many = given_runs(run + cursor[3], part, height * width, own_runs);
            before[2] += part;
        } else if (kind[n] == CODE) {
            if (part > codes - cursor[4])
                break;
            i64 pixels = 0;
            many = decode_runs(code + cursor[4], part, own_runs, &pixels);
            many = many > 0 && pixels != height * width ? HRB_NOT_MINE : many;
        } else {
            break;
        }
        result = many;
        if (many < 0)
            break;
        if (kept[n]) {
            i64 most = kind[n] == CODE ? part : MAX_CHARACTERS * many;
            if (most > room - cursor[5]) {
                result = 0;
                break; /* again, with more room */
            }
            if (kind[n] == CODE) {
                memcpy(out + cursor[5], code + cursor[4], (size_t)part);
                lengths[n] = part;
            } else {
                lengths[n] = encode_runs(found, many, out + cursor[5]);
            }
            cursor[5] += lengths[n];
        } else {
            lengths[n] = 0;
        }
        struct facts facts;
        look_at_runs(found, many, height, &facts);
        area[n] = (double)facts.area;
        plain[n] = facts.plain;
        memcpy(box + 4 * n, facts.box, sizeof facts.box);
        cursor[1] = before[0];
        cursor[2] = before[1];
        cursor[3] = before[2];
        cursor[4] += kind[n] == CODE ? part : 0;
    }
    free(own_runs);
    free_canvas(&canvas);
    return cursor[0] < rows && result < 0 ? result : cursor[0];
}
