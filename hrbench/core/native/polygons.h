#ifndef HRBENCH_POLYGONS_H
#define HRBENCH_POLYGONS_H

#include "hrbench_native.h"

/* Memory that polygons are drawn in; it grows. */
struct canvas {
    int32_t *column, *row;  /* of each place where the code changes, as found */
    uint32_t *sorted, *one, *both; /* places by column; runs of a ring, and of all rings so far */
    int32_t *starts;        /* of each column among `sorted` */
    i64 room, columns;
};

i64 polygon_runs(struct canvas *canvas, const double *points, const i64 *rings, i64 many, i64 height, i64 width,
                 uint32_t **runs);
void free_canvas(struct canvas *canvas);

#endif
