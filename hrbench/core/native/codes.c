/* Compressed codes to runs and back, and what runs say of a mask: area and box in one pass. */
#include "codes.h"

/* Runs of a compressed code; how many, or HRB_NOT_MINE for one that is not valid. runs: room for `length`. pixels: the
 * sum of all runs.
 *
 * Every number is written in groups of five bits, the lowest first, each a character from "0" on: bit 5 says that more
 * follow, bit 4 of the last is the sign; from the fourth number on it is the difference to the number two before.
 */
i64 decode_runs(const uint8_t *code, i64 length, uint32_t *runs, i64 *pixels)
{
    const uint8_t *at = code, *end = code + length;
    i64 many = 0, total = 0;
    while (at < end) {
        i64 value = 0;
        int shift = 0;
        unsigned bits;
        do {
            if (at == end || shift == 5 * MAX_CHARACTERS)
                return HRB_NOT_MINE;
            bits = (unsigned)*at++ - 48;
            if (bits > 63)
                return HRB_NOT_MINE;
            value |= (i64)(bits & 31) << shift;
            shift += 5;
        } while (bits & 32);
        if (bits & 16)
            value -= (i64)1 << shift;
        if (many > 2)
            value += runs[many - 2];
        total += value;
        if (value < 0 || total > MAX_PIXELS)
            return HRB_NOT_MINE;
        runs[many++] = (uint32_t)value;
    }
    *pixels = total;
    return many ? many : HRB_NOT_MINE;
}

/* The compressed code of runs; how many characters. code: room for MAX_CHARACTERS a run. */
i64 encode_runs(const uint32_t *runs, i64 many, uint8_t *code)
{
    uint8_t *at = code;
    for (i64 n = 0; n < many; n++) {
        i64 value = runs[n];
        int more;
        if (n > 2)
            value -= runs[n - 2];
        do {
            unsigned bits = (unsigned)(value & 31);
            value = (value - (i64)bits) / 32; /* exact: all lower bits are gone */
            more = bits & 16 ? value != -1 : value != 0;
            *at++ = (uint8_t)(48 + (more ? bits | 32 : bits));
        } while (more);
    }
    return at - code;
}

void look_at_runs(const uint32_t *runs, i64 many, i64 height, struct facts *facts)
{
    i64 area = 0, column = 0, row = 0; /* where the next run starts */
    i64 left = INT32_MAX, right = 0, top = height, bottom = 0;
    uint8_t plain = 1;
    for (i64 n = 0; n < many; n++) {
        i64 run = runs[n], first_column = column, first_row = row;
        row += run;
        if (row >= 4 * height) {
            column += row / height;
            row %= height;
        }
        while (row >= height) {
            row -= height;
            column++;
        }
        plain &= n == 0 || run > 0;
        if (!(n & 1) || run == 0)
            continue;
        area += run;
        /* the last pixel of the run */
        i64 last_column = row ? column : column - 1, last_row = row ? row - 1 : height - 1;
        if (last_column > first_column) {
            first_row = 0;
            last_row = height - 1;
        }
        left = first_column < left ? first_column : left;
        right = last_column + 1 > right ? last_column + 1 : right;
        top = first_row < top ? first_row : top;
        bottom = last_row + 1 > bottom ? last_row + 1 : bottom;
    }
    if (area == 0)
        left = top = right = bottom = 0;
    facts->area = area;
    facts->box[0] = (int32_t)left;
    facts->box[1] = (int32_t)top;
    facts->box[2] = (int32_t)right;
    facts->box[3] = (int32_t)bottom;
    facts->plain = plain;
}
