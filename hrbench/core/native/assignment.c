/* Greedy matching of COCO: the pairs of groups, and which detection takes which object, as metrics/coco/assignment.py
 * computes it with NumPy. */
#include <stdlib.h>
#include <string.h>

#include "hrbench_native.h"

enum { MOST = 16 }; /* thresholds */

/* Writes all pairs (position, object) of some groups, by position, then object; gives their number.
 *
 * first, each: where the objects of each group begin among `objects`, and how many there are.
 * start, number: where its detections begin, and how many there are.
 */
EXPORT i64 hrb_pairs(const i64 *first, i64 groups, const i64 *each, i64 groups2, const i64 *start, i64 groups3,
                     const i64 *number, i64 groups4, const i64 *objects, i64 many, i64 *position, i64 room,
                     i64 *object, i64 room2)
{
    if (groups2 != groups || groups3 != groups || groups4 != groups || room2 != room)
        return HRB_BOUNDS;
    i64 at = 0;
    for (i64 u = 0; u < groups; u++) {
        if (first[u] < 0 || each[u] < 0 || each[u] > many || first[u] > many - each[u] || number[u] < 0)
            return HRB_BOUNDS;
        if (each[u] && number[u] > (room - at) / each[u])
            return HRB_BOUNDS;
        for (i64 n = 0; n < number[u]; n++)
            for (i64 k = 0; k < each[u]; k++, at++) {
                position[at] = start[u] + n;
                object[at] = objects[first[u] + k];
            }
    }
    return at;
}

typedef struct {
    double alike;
    i64 object;
    u64 above;
} candidate;

/* Matches the detections of some pairs, which are by position, whole groups, and writes their bits.
 *
 * lowest: (T) rising similarities that reach a threshold.
 * crowd, ignored: of all objects; bit a x T + t of `ignored` is set if the object does not count in range a.
 * open: of all objects, the bits at which they are still free; changed.
 * hits, spared: (N, A), bit t set at each threshold at which the detection found an object that counts, or an ignored.
 */
EXPORT i64 hrb_assign(const i64 *position, i64 pairs, const i64 *object, i64 pairs2, const double *alike, i64 pairs3,
                      const double *lowest, i64 thresholds, i64 areas, const uint8_t *crowd, i64 objects,
                      const u64 *ignored, i64 objects2, u64 *open, i64 objects3, uint16_t *hits, i64 room,
                      uint16_t *spared, i64 room2)
{
    if (pairs2 != pairs || pairs3 != pairs || objects2 != objects || objects3 != objects || room2 != room)
        return HRB_BOUNDS;
    if (thresholds < 1 || thresholds > MOST || areas < 1 || areas * thresholds > 64)
        return HRB_BOUNDS;
    u64 words[MOST + 1] = {0};
    for (i64 t = 0; t <= thresholds; t++)
        for (i64 a = 0; a < areas; a++)
            words[t] |= (((u64)1 << t) - 1) << (a * thresholds);
    const uint16_t every = (uint16_t)(((u64)1 << thresholds) - 1);
    i64 longest = 0;
    for (i64 n = 0, run = 0; n < pairs; n++) {
        run = n && position[n] == position[n - 1] ? run + 1 : 1;
        longest = run > longest ? run : longest;
    }
    candidate *near = malloc((size_t)(longest + 1) * sizeof *near);
    if (!near)
        return HRB_MEMORY;
    for (i64 n = 0, end; n < pairs; n = end) {
        i64 detection = position[n], many = 0;
        if (detection < 0 || detection >= room / areas) {
            free(near);
            return HRB_BOUNDS;
        }
        for (end = n; end < pairs && position[end] == detection; end++) {
            if (!(alike[end] >= lowest[0]))
                continue;
            if (object[end] < 0 || object[end] >= objects) {
                free(near);
                return HRB_BOUNDS;
            }
            i64 reached = 1;
            while (reached < thresholds && alike[end] >= lowest[reached])
                reached++;
            /* best first; of equals the later in the file, because the official loop replaces on equality */
            candidate own = {alike[end], object[end], words[reached]};
            i64 at = many++;
            for (; at > 0; at--) {
                const candidate *before = &near[at - 1];
                if (before->alike > own.alike || (before->alike == own.alike && before->object > own.object))
                    break;
                near[at] = *before;
            }
            near[at] = own;
        }
        u64 left = ~(u64)0, found[2] = {0, 0};
        for (int second = 0; second < 2; second++) /* objects that count, then ignored ones */
            for (i64 k = 0; k < many; k++) {
                i64 g = near[k].object;
                u64 take = near[k].above & (second ? ignored[g] : ~ignored[g]) & left & open[g];
                left &= ~take;
                if (!crowd[g])
                    open[g] &= ~take;
                found[second] |= take;
            }
        if (found[0] | found[1])
            for (i64 a = 0; a < areas; a++) {
                hits[detection * areas + a] = (uint16_t)(found[0] >> (a * thresholds)) & every;
                spared[detection * areas + a] = (uint16_t)(found[1] >> (a * thresholds)) & every;
            }
    }
    free(near);
    return 0;
}
