/* Reading JSON: only what COCO's usual files hold. All else is left to the general reader. */
#ifndef HRBENCH_JSON_TEXT_H
#define HRBENCH_JSON_TEXT_H

#include <stddef.h>
#include <string.h>

#include "hrbench_native.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digits are read eight at a time, the first in the lowest byte"
#endif

enum outcome {
    FINE = 0,
    MORE, /* the text ends within a value */
    OTHER /* not of the usual form */
};

#define MAX_DEPTH 64
#define MAX_FIFTHS 27 /* 5^27 is the last power below 2^63 */

/* Of each power 5^q: its digits shifted to the top of a word, by how much, and 2^127 over that, rounded down. */
struct fifths {
    u64 shifted[MAX_FIFTHS + 1], inverse[MAX_FIFTHS + 1];
    int by[MAX_FIFTHS + 1];
};

struct text {
    const uint8_t *at, *end;
    const struct fifths *fifths;
    int plain_point; /* whether the C library reads 1.5 as such, whatever the locale of the program */
    int utf8; /* whether the text is known to be valid UTF-8 */
};

void fill_fifths(struct fifths *fifths);
int point_is_plain(void);
enum outcome read_number(struct text *text, double *value);
enum outcome read_whole(struct text *text, i64 *value);
enum outcome read_key(struct text *text, const uint8_t **key, size_t *length);
enum outcome skip_value(struct text *text, int depth);

static inline enum outcome skip_space(struct text *text)
{
    while (text->at < text->end) {
        uint8_t c = *text->at;
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return FINE;
        text->at++;
    }
    return MORE;
}

/* The next character that is no white space, and past it if it is `wanted`; OTHER if it is another. */
static inline enum outcome expect(struct text *text, uint8_t wanted)
{
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at != wanted)
        return OTHER;
    text->at++;
    return FINE;
}

/* After an element of a list or an object: *last is 1 past the closing bracket, 0 past a comma. */
static inline enum outcome next_or_last(struct text *text, uint8_t closing, int *last)
{
    if (skip_space(text) == MORE)
        return MORE;
    uint8_t c = *text->at;
    if (c != ',' && c != closing)
        return OTHER;
    *last = c == closing;
    text->at++;
    return FINE;
}

static inline int key_is(const uint8_t *key, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(key, name, length) == 0;
}

#endif
