/* A binary mask in a part of an image to its compressed code. */
#include <stdlib.h>

#include "codes.h"

/* Characters of the code; it is written if there is room for it. pixels: (columns, rows) of the part, whose first
 * pixel lies at (left, top) of an image of (height, width); all around it is empty.
 */
EXPORT i64 hrb_encode_part(const uint8_t *pixels, i64 many, i64 columns, i64 rows, i64 left, i64 top, i64 height,
                           i64 width, uint8_t *code, i64 room)
{
    if (height < 1 || width < 1 || height >= MAX_PIXELS || width >= MAX_PIXELS || height * width >= MAX_PIXELS)
        return HRB_NOT_MINE;
    if (rows < 0 || columns < 0 || left < 0 || top < 0 || rows > height - top || columns > width - left
        || many != rows * columns)
        return HRB_BOUNDS;
    /* every pixel may begin a run, and so may every gap between two columns */
    uint32_t *runs = malloc((size_t)(many + columns + 2) * sizeof *runs);
    if (!runs)
        return HRB_MEMORY;
    i64 found = 0, start = 0;
    uint8_t inside = 0;
    for (i64 x = 0; x < columns && rows; x++) {
        i64 place = (left + x) * height + top;
        for (i64 y = 0; y < rows; y++) {
            uint8_t set = pixels[x * rows + y] != 0;
            if (set != inside) {
                runs[found++] = (uint32_t)(place + y - start);
                start = place + y;
                inside = set;
            }
        }
        if (inside && (rows < height || x + 1 == columns)) { /* what comes next is around the part */
            runs[found++] = (uint32_t)(place + rows - start);
            start = place + rows;
            inside = 0;
        }
    }
    if (start < height * width)
        runs[found++] = (uint32_t)(height * width - start);
    uint8_t *text = malloc((size_t)found * MAX_CHARACTERS);
    i64 length = HRB_MEMORY;
    if (text) {
        length = encode_runs(runs, found, text);
        for (i64 n = 0; n < length && length <= room; n++)
            code[n] = text[n];
    }
    free(text);
    free(runs);
    return length;
}
