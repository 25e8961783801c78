/* Run-length codes of COCO: lengths of runs, those of zeros first, down the columns of an image. */
#ifndef HRBENCH_CODES_H
#define HRBENCH_CODES_H

#include <stddef.h>

#include "hrbench_native.h"

#define MAX_PIXELS ((i64)1 << 29)
#define MAX_CHARACTERS 6 /* of a number in a compressed code */

/* What is known of a mask. box: left, top, right, bottom in px. plain: no run within is empty. */
struct facts {
    i64 area;
    int32_t box[4];
    uint8_t plain;
};

i64 decode_runs(const uint8_t *code, i64 length, uint32_t *runs, i64 *pixels);
i64 encode_runs(const uint32_t *runs, i64 many, uint8_t *code);
void look_at_runs(const uint32_t *runs, i64 many, i64 height, struct facts *facts);

#endif
