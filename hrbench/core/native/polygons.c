/* Polygons to runs, the same pixels as pycocotools 2.0.11 gives (rleFrPoly and rleMerge of its maskApi.c).
 *
 * There, the outline is followed in steps of a fifth of a pixel, and the code changes where it passes from u = 5n + 2 to
 * 5n + 3: the middle of column n. Here only these passages are computed, with the same arithmetic.
 */
#include "polygons.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALE 5
#define FEW 24                 /* values that are sorted by insertion */
#define FAR 1e5                /* px, of a coordinate */
#define MOST ((i64)1 << 30)    /* passages of a ring */

static int grown(struct canvas *canvas, i64 places, i64 columns)
{
    if (places > canvas->room) {
        i64 room = places + places / 2 + 1024;
        void *column = realloc(canvas->column, (size_t)room * sizeof *canvas->column);
        canvas->column = column ? column : canvas->column;
        void *row = realloc(canvas->row, (size_t)room * sizeof *canvas->row);
        canvas->row = row ? row : canvas->row;
        if (!column || !row)
            return 0;
        canvas->room = room;
    }
    if (columns > canvas->columns) {
        void *starts = realloc(canvas->starts, (size_t)(columns + 2) * sizeof *canvas->starts);
        if (!starts)
            return 0;
        canvas->starts = starts;
        canvas->columns = columns;
    }
    return 1;
}

static int grown_runs(uint32_t **runs, i64 many)
{
    void *found = realloc(*runs, (size_t)many * sizeof **runs);
    if (found)
        *runs = found;
    return found != NULL;
}

void free_canvas(struct canvas *canvas)
{
    free(canvas->column);
    free(canvas->row);
    free(canvas->sorted);
    free(canvas->one);
    free(canvas->both);
    free(canvas->starts);
}

/* A coordinate on the finer grid. */
static int fine(double value) { return (int)(SCALE * value + .5); }

/* The row at which the code of a column changes, if the outline passes its middle between these two points. */
static int32_t row_of(int v, int before, i64 height)
{
    /* (v + 0.5) / 5 - 0.5 in doubles, rounded up: it is whole only where v - 2 is a multiple of 5, and then exactly */
    i64 least = v < before ? v : before, row = least < 2 ? 0 : (least + 2) / SCALE;
    return (int32_t)(row < height ? row : height);
}

/* The first step of 1 to `steps` at which the side is at or past column `u`, going from `start` by `slope` a step. */
static int64_t first_step(int start, double slope, int u, int64_t steps)
{
    double guess = ceil((u - .5 - start) / slope);
    int64_t step = guess < 1 ? 1 : guess > (double)steps ? steps : (int64_t)guess;
    int up = slope > 0;
#define AT(t) ((int)(start + slope * (double)(t) + .5))
    while (step > 1 && (up ? AT(step - 1) >= u : AT(step - 1) < u))
        step--;
    while (step < steps && !(up ? AT(step) >= u : AT(step) < u))
        step++;
    return step;
#undef AT
}

/* The passages of one side, from (xs, ys) to (xe, ye) of the finer grid. */
static i64 side(int xs, int ys, int xe, int ye, i64 height, i64 width, int32_t *column, int32_t *row)
{
    int dx = abs(xe - xs), dy = abs(ys - ye), steep = dx < dy;
    i64 many = 0;
    if (steep ? ys > ye : xs > xe) {
        int x = xs, y = ys;
        xs = xe, ys = ye, xe = x, ye = y;
    }
    if (dx == 0)
        return 0;
    double slope = steep ? (double)(xe - xs) / dy : (double)(ye - ys) / dx;
    /* columns n whose middle, between 5n + 2 and 5n + 3, lies between the ends; those outside of the image are not met */
    int low = xs < xe ? xs : xe, high = xs < xe ? xe : xs;
    i64 first = low <= 2 ? 0 : ((i64)low + 2) / 5, last = high < 3 ? -1 : ((i64)high - 3) / 5;
    if (last > width - 1)
        last = width - 1;
    for (i64 n = first; n <= last; n++) {
        int u = (int)(5 * n + 3), v, before;
        if (!steep) {
            v = (int)(ys + slope * (u - xs) + .5);
            before = (int)(ys + slope * (u - 1 - xs) + .5);
        } else {
            int step = (int)first_step(xs, slope, u, dy);
            v = ys + step;
            before = v - 1;
        }
        column[many] = (int32_t)n;
        row[many++] = row_of(v, before, height);
    }
    return many;
}

static int compared(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static void sort(uint32_t *values, i64 many)
{
    if (many > FEW) {
        qsort(values, (size_t)many, sizeof *values, compared);
        return;
    }
    for (i64 n = 1; n < many; n++) {
        uint32_t value = values[n];
        i64 at = n;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

/* Runs from the `many` passages in the canvas; how many. */
static i64 runs_of(struct canvas *canvas, i64 many, i64 height, i64 width, uint32_t *runs)
{
    int32_t *starts = canvas->starts;
    i64 left = width, right = -1;
    for (i64 n = 0; n < many; n++) {
        left = canvas->column[n] < left ? canvas->column[n] : left;
        right = canvas->column[n] > right ? canvas->column[n] : right;
    }
    if (many) {
        memset(starts + left, 0, (size_t)(right - left + 2) * sizeof *starts);
        for (i64 n = 0; n < many; n++)
            starts[canvas->column[n] + 1]++;
        for (i64 x = left; x <= right; x++)
            starts[x + 1] += starts[x];
        /* each into its column, and there by row */
        for (i64 n = many - 1; n >= 0; n--) {
            int32_t x = canvas->column[n], at = --starts[x + 1];
            canvas->sorted[at] = (uint32_t)(x * height + canvas->row[n]);
        }
        for (i64 x = left, from = 0; x <= right; x++) { /* starts[x + 1] is now where x starts */
            i64 to = x < right ? starts[x + 2] : many;
            sort(canvas->sorted + from, to - from);
            from = to;
        }
    }
    canvas->sorted[many] = (uint32_t)(height * width);
    /* a length of zero joins its neighbours */
    i64 out = 0, n = 0;
    uint32_t before = 0;
    runs[out++] = canvas->sorted[n];
    before = canvas->sorted[n++];
    while (n <= many) {
        uint32_t length = canvas->sorted[n] - before;
        before = canvas->sorted[n++];
        if (length) {
            runs[out++] = length;
        } else if (n <= many) {
            runs[out - 1] += canvas->sorted[n] - before;
            before = canvas->sorted[n++];
        }
    }
    return out;
}

/* Runs of the union of two masks; how many. into: room for one more than both have. */
static i64 united(const uint32_t *one, i64 ones, const uint32_t *other, i64 others, uint32_t *into)
{
    i64 a = 1, b = 1, many = 0;
    uint32_t left_a = one[0], left_b = other[0], length = 0;
    int in_a = 0, in_b = 0, inside = 0;
    for (;;) {
        uint32_t step = left_a < left_b ? left_a : left_b;
        length += step;
        left_a -= step;
        left_b -= step;
        if (!left_a && a < ones) {
            left_a = one[a++];
            in_a = !in_a;
        }
        if (!left_b && b < others) {
            left_b = other[b++];
            in_b = !in_b;
        }
        int now = in_a || in_b, over = !left_a && !left_b;
        if (now != inside || over) {
            into[many++] = length;
            length = 0;
        }
        inside = now;
        if (over)
            return many;
    }
}

static i64 ring_runs(struct canvas *canvas, const double *points, i64 corners, i64 height, i64 width, uint32_t **runs)
{
    i64 room = 0;
    for (i64 n = 0; n < 2 * corners; n++)
        if (!(points[n] >= -FAR && points[n] <= FAR))
            return HRB_NOT_MINE;
    for (i64 n = 0; n < corners; n++) { /* a side passes no more columns than it is wide, nor than there are */
        i64 next = n + 1 < corners ? n + 1 : 0;
        i64 wide = llabs((i64)fine(points[2 * n]) - fine(points[2 * next])) / SCALE + 2;
        room += wide < width ? wide : width;
    }
    if (room > MOST)
        return HRB_NOT_MINE;
    if (!grown(canvas, room + 1, width) || !grown_runs(&canvas->sorted, room + 1) || !grown_runs(runs, room + 2))
        return HRB_MEMORY;
    i64 many = 0;
    for (i64 n = 0; n < corners; n++) {
        i64 next = n + 1 < corners ? n + 1 : 0;
        many += side(fine(points[2 * n]), fine(points[2 * n + 1]), fine(points[2 * next]), fine(points[2 * next + 1]),
                     height, width, canvas->column + many, canvas->row + many);
    }
    return runs_of(canvas, many, height, width, *runs);
}

/* Runs of all rings together, of which each has an even number (of `rings`) of coordinates; how many. */
i64 polygon_runs(struct canvas *canvas, const double *points, const i64 *rings, i64 many, i64 height, i64 width,
                 uint32_t **runs)
{
    uint32_t *found = NULL;
    i64 length = ring_runs(canvas, points, rings[0] / 2, height, width, &canvas->both);
    points += rings[0];
    for (i64 n = 1; n < many && length > 0; points += rings[n++]) {
        i64 more = ring_runs(canvas, points, rings[n] / 2, height, width, &canvas->one);
        if (more < 0)
            return more;
        found = malloc((size_t)(length + more + 1) * sizeof *found);
        if (!found)
            return HRB_MEMORY;
        length = united(canvas->both, length, canvas->one, more, found);
        free(canvas->both);
        canvas->both = found;
    }
    *runs = canvas->both;
    return length;
}
