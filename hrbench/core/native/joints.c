/* Joints of results: places without the third number of each, and the area of their extent. */
#include "hrbench_native.h"

/* Places (N, K, 2) and areas (N,) of values (N, 3 K) whose places are at most `limit` in size, as must be the rest. */
EXPORT i64 hrb_joints(const double *values, i64 many, i64 joints, double limit, double *places, i64 room, double *area,
                      i64 rows)
{
    if (joints < 1 || rows < 0 || rows > many || many != 3 * joints * rows || room != 2 * joints * rows)
        return HRB_BOUNDS;
    for (i64 n = 0; n < rows; n++) {
        const double *from = values + 3 * joints * n;
        double *to = places + 2 * joints * n;
        double left = from[0], right = from[0], top = from[1], bottom = from[1];
        int within = 1;
        for (i64 k = 0; k < joints; k++) {
            double x = from[3 * k], y = from[3 * k + 1], third = from[3 * k + 2];
            to[2 * k] = x;
            to[2 * k + 1] = y;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            /* not true of NaN */
            within &= (third >= -limit) & (third <= limit) & (x >= -limit) & (x <= limit) & (y >= -limit) & (y <= limit);
        }
        if (!within)
            return HRB_NOT_MINE;
        area[n] = (right - left) * (bottom - top);
    }
    return rows;
}

/* What exp is taken of for each pair of a detection and a person, and each joint that counts: (P, visible).
 *
 * points: (G, K, 3) x, y, visibility. box: (G, 4). spread: (G,) area. variance: (K,). places: (N, K, 2). visible: how
 * many joints of every person of these pairs are visible; 0: all K count, by how far they lie outside of the box grown.
 */
EXPORT i64 hrb_joint_errors(const double *points, i64 pointed, const double *box, i64 boxes, const double *spread,
                            i64 spreads, const double *variance, i64 joints, const double *places, i64 placed,
                            const i64 *detection, i64 many, const i64 *person, i64 persons, i64 visible, double *out,
                            i64 room)
{
    if (joints < 1 || pointed != 3 * joints * spreads || boxes != 4 * spreads || placed % (2 * joints)
        || persons != many || visible < 0 || visible > joints || room != many * (visible ? visible : joints))
        return HRB_BOUNDS;
    for (i64 n = 0; n < many; n++) {
        i64 d = detection[n], g = person[n], found = 0, wanted = visible ? visible : joints;
        if (d < 0 || d >= placed / (2 * joints) || g < 0 || g >= spreads)
            return HRB_BOUNDS;
        const double *at = places + 2 * joints * d, *of = points + 3 * joints * g, *corner = box + 4 * g;
        double *to = out + n * wanted;
        for (i64 k = 0; k < joints; k++) {
            double offset[2];
            if (visible && !(of[3 * k + 2] > 0))
                continue;
            if (found == wanted)
                return HRB_BOUNDS;
            for (int axis = 0; axis < 2; axis++) {
                double place = at[2 * k + axis];
                if (visible) {
                    offset[axis] = place - of[3 * k + axis];
                } else {
                    double below = corner[axis] - corner[2 + axis] - place;
                    double above = place - (corner[axis] + corner[2 + axis] * 2);
                    offset[axis] = (below > 0 ? below : 0) + (above > 0 ? above : 0);
                }
                offset[axis] *= offset[axis];
            }
            to[found++] = -((offset[0] + offset[1]) / variance[k] / spread[g] / 2);
        }
        if (found != wanted)
            return HRB_BOUNDS;
    }
    return many;
}
