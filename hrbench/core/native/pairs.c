/* Similarity of many pairs of a detection and an annotated object: boxes, and masks by the ends of their runs. */
#include <stdlib.h>
#include <string.h>

#include "codes.h"

/* Intersection over union of boxes x, y, width, height; of a crowd, over the detection. Sums in pycocotools' order. */
EXPORT i64 hrb_box_pairs(const double *truth, i64 truths, const uint8_t *crowd, i64 crowds, const double *found,
                         i64 founds, const i64 *detection, i64 many, const i64 *object, i64 objects, double *out,
                         i64 outs)
{
    if (truths != 4 * crowds || founds % 4 || objects != many || outs != many)
        return HRB_BOUNDS;
    for (i64 n = 0; n < many; n++) {
        if (detection[n] < 0 || detection[n] >= founds / 4 || object[n] < 0 || object[n] >= crowds)
            return HRB_BOUNDS;
        const double *d = found + 4 * detection[n], *g = truth + 4 * object[n];
        double right = d[2] + d[0], other_right = g[2] + g[0], bottom = d[3] + d[1], other_bottom = g[3] + g[1];
        double width = (right < other_right ? right : other_right) - (d[0] > g[0] ? d[0] : g[0]);
        double height = (bottom < other_bottom ? bottom : other_bottom) - (d[1] > g[1] ? d[1] : g[1]);
        out[n] = 0;
        if (width > 0 && height > 0) {
            double shared = width * height, area = d[2] * d[3];
            double whole = crowd[object[n]] ? area : area + g[2] * g[3] - shared;
            out[n] = shared / whole;
        }
    }
    return 0;
}

/* Columns of compressed masks. */
struct coded {
    const uint8_t *text, *plain;
    const i64 *starts;
    const double *area;
    const int32_t *box;
    i64 many, characters;
};

/* Stretches of ones, start and end, that were decoded; slot: where those of a mask start, -1 if they are not there. */
struct stretches {
    uint32_t *at;
    i64 *slot, *length;
    i64 used, room;
};

static i64 decode_stretches(const struct coded *masks, i64 row, uint32_t *runs, uint32_t *into)
{
    i64 pixels, start = masks->starts[row];
    i64 many = decode_runs(masks->text + start, masks->starts[row + 1] - start, runs, &pixels);
    uint32_t place = 0;
    i64 out = 0;
    for (i64 n = 0; n < many; n++) {
        if (n & 1) {
            into[out++] = place;
            into[out++] = place + runs[n];
        }
        place += runs[n];
    }
    return many < 0 ? many : out / 2;
}

/* Pixels that two masks share. */
static i64 shared_pixels(const uint32_t *one, i64 ones, const uint32_t *other, i64 others)
{
    i64 shared = 0, a = 0, b = 0;
    while (others && a < ones && one[2 * a + 1] <= other[0])
        a++;
    while (a < ones && b < others && other[2 * b + 1] <= one[2 * a])
        b++;
    while (a < ones && b < others) {
        uint32_t start = one[2 * a] > other[2 * b] ? one[2 * a] : other[2 * b];
        uint32_t end_a = one[2 * a + 1], end_b = other[2 * b + 1], end = end_a < end_b ? end_a : end_b;
        shared += end > start ? end - start : 0;
        a += end_a <= end_b;
        b += end_b <= end_a;
    }
    return shared;
}

/* The greatest similarity that masks of these areas in these boxes may have. */
static double bound(const struct coded *truth, i64 g, int crowd, const struct coded *found, i64 d)
{
    const int32_t *a = truth->box + 4 * g, *b = found->box + 4 * d;
    double width = (double)(a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    double height = (double)(a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    double less = truth->area[g] < found->area[d] ? truth->area[g] : found->area[d];
    double shared = width > 0 && height > 0 ? width * height : 0;
    shared = less < shared ? less : shared;
    double whole = crowd ? found->area[d] : found->area[d] + truth->area[g] - shared;
    return shared / (whole > 1 ? whole : 1);
}

static int consistent(const struct coded *masks, i64 plains, i64 starts, i64 boxes)
{
    if (plains != masks->many || starts != masks->many + 1 || boxes != 4 * masks->many || masks->starts[0] != 0
        || masks->starts[masks->many] != masks->characters)
        return 0;
    for (i64 n = 0; n < masks->many; n++)
        if (masks->starts[n] > masks->starts[n + 1])
            return 0;
    return 1;
}

static i64 longest(const struct coded *masks)
{
    i64 most = 0;
    for (i64 n = 0; n < masks->many; n++) {
        i64 length = masks->starts[n + 1] - masks->starts[n];
        most = length > most ? length : most;
    }
    return most;
}

/* The stretches of a truth, which its image's other detections need, too. */
static i64 held(struct stretches *truths, const struct coded *truth, i64 row, uint32_t *runs)
{
    i64 need = truth->starts[row + 1] - truth->starts[row] + 1;
    if (truths->slot[row] >= 0)
        return 0;
    if (need > truths->room - truths->used) {
        memset(truths->slot, 0xff, (size_t)truth->many * sizeof *truths->slot);
        truths->used = 0;
    }
    i64 many = decode_stretches(truth, row, runs, truths->at + truths->used);
    if (many < 0)
        return many;
    truths->slot[row] = truths->used;
    truths->length[row] = many;
    truths->used += 2 * many;
    return 0;
}

#define HELD ((i64)1 << 18) /* numbers of decoded truths that are held at a time */

/* Intersection over union of masks: 0 for pairs that are known to be below `lowest`, -1 for pairs of which one has an
 * empty run within, which pycocotools counts in its own way; how many of these there are.
 *
 * Each side: text, starts (N + 1,), area (N,), box (N, 4) left, top, right, bottom, plain (N,).
 */
EXPORT i64 hrb_mask_pairs(const uint8_t *truth_text, i64 truth_characters, const i64 *truth_starts, i64 truth_many,
                          const double *truth_area, i64 truths, const int32_t *truth_box, i64 truth_boxes,
                          const uint8_t *truth_plain, i64 truth_plains, const uint8_t *crowd, i64 crowds,
                          const uint8_t *found_text, i64 found_characters, const i64 *found_starts, i64 found_many,
                          const double *found_area, i64 founds, const int32_t *found_box, i64 found_boxes,
                          const uint8_t *found_plain, i64 found_plains, const i64 *detection, i64 many,
                          const i64 *object, i64 objects, double lowest, double *out, i64 outs)
{
    struct coded truth = {truth_text, truth_plain, truth_starts, truth_area, truth_box, truths, truth_characters};
    struct coded found = {found_text, found_plain, found_starts, found_area, found_box, founds, found_characters};
    if (truth_many < 1 || found_many < 1 || !consistent(&truth, truth_plains, truth_many, truth_boxes)
        || !consistent(&found, found_plains, found_many, found_boxes) || crowds != truths || objects != many
        || outs != many)
        return HRB_BOUNDS;
    i64 most = longest(&truth), most_found = longest(&found), left = 0, last = -1, ones = 0, result = 0;
    struct stretches truths_held = {NULL, NULL, NULL, 0, (most > HELD ? most : HELD) + 2};
    truths_held.at = malloc((size_t)truths_held.room * sizeof *truths_held.at);
    truths_held.slot = malloc((size_t)(truths + 1) * sizeof *truths_held.slot);
    truths_held.length = malloc((size_t)(truths + 1) * sizeof *truths_held.length);
    uint32_t *runs = malloc((size_t)((most > most_found ? most : most_found) + 2) * sizeof *runs);
    uint32_t *mine = malloc((size_t)(most_found + 2) * sizeof *mine);
    if (!truths_held.at || !truths_held.slot || !truths_held.length || !runs || !mine)
        result = HRB_MEMORY;
    else
        memset(truths_held.slot, 0xff, (size_t)truths * sizeof *truths_held.slot);
    for (i64 n = 0; n < many && result >= 0; n++) {
        i64 d = detection[n], g = object[n];
        if (d < 0 || d >= founds || g < 0 || g >= truths) {
            result = HRB_BOUNDS;
            break;
        }
        out[n] = 0;
        if (!truth.plain[g] || !found.plain[d]) {
            out[n] = -1;
            left++;
            continue;
        }
        if (!(bound(&truth, g, crowd[g], &found, d) >= lowest * (1 - 1e-9)))
            continue;
        if (d != last) {
            ones = decode_stretches(&found, d, runs, mine);
            last = d;
        }
        if (ones < 0 || held(&truths_held, &truth, g, runs) < 0) {
            result = HRB_NOT_MINE;
            break;
        }
        i64 shared = shared_pixels(mine, ones, truths_held.at + truths_held.slot[g], truths_held.length[g]);
        if (shared) {
            double area = found.area[d];
            out[n] = (double)shared / (crowd[g] ? area : area + truth.area[g] - (double)shared);
        }
    }
    free(truths_held.at);
    free(truths_held.slot);
    free(truths_held.length);
    free(runs);
    free(mine);
    return result < 0 ? result : left;
}
