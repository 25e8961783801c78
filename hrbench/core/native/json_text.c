/* Numbers, keys and values of JSON. Numbers are the double nearest to what is written, as Python's float has it. */
#include "json_text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#define LONGEST 120 /* characters of a number that the C library is asked for */

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

void fill_fifths(struct fifths *fifths)
{
    u64 power = 1;
    for (int q = 0; q <= MAX_FIFTHS; q++) {
        int by = __builtin_clzll(power);
        fifths->by[q] = by;
        fifths->shifted[q] = power << by;
        /* of q = 0 it would be 2^64, and is not used */
        fifths->inverse[q] = q ? (u64)(((u128)1 << 127) / (power << by)) : 0;
        if (q < MAX_FIFTHS)
            power *= 5;
    }
}

int point_is_plain(void)
{
    const struct lconv *here = localeconv();
    return here != NULL && here->decimal_point != NULL && strcmp(here->decimal_point, ".") == 0;
}

static inline int is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

/* Eight digits at once; 0 if any of the eight characters is none. */
static inline int eight_digits(const uint8_t *at, u64 *value)
{
    u64 word;
    memcpy(&word, at, 8);
    u64 high = word & 0xF0F0F0F0F0F0F0F0u, above = (word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u;
    if ((high | above >> 4) != 0x3333333333333333u)
        return 0;
    word = ((word & 0x0F0F0F0F0F0F0F0Fu) * (10 * 256 + 1)) >> 8;
    word = ((word & 0x00FF00FF00FF00FFu) * (100 * 65536 + 1)) >> 16;
    *value = ((word & 0x0000FFFF0000FFFFu) * (10000 * (u64)4294967296 + 1)) >> 32;
    return 1;
}

/* The same of four. */
static inline int four_digits(const uint8_t *at, u64 *value)
{
    uint32_t word;
    memcpy(&word, at, 4);
    uint32_t high = word & 0xF0F0F0F0u, above = (word + 0x06060606u) & 0xF0F0F0F0u;
    if ((high | above >> 4) != 0x33333333u)
        return 0;
    word = ((word & 0x0F0F0F0Fu) * (10 * 256 + 1)) >> 8;
    *value = ((word & 0x00FF00FFu) * (100 * 65536 + 1)) >> 16;
    return 1;
}

/* Past a run of digits, which `*digits` times ten to their number is extended by (modulo 2^64). */
static inline void take_digits(struct text *text, u64 *digits)
{
    const uint8_t *at = text->at, *end = text->end; /* in registers: characters may lie anywhere */
    u64 word, sum = *digits;
    while (end - at >= 8 && eight_digits(at, &word)) {
        sum = sum * 100000000u + word;
        at += 8;
    }
    if (end - at >= 4 && four_digits(at, &word)) {
        sum = sum * 10000u + word;
        at += 4;
    }
    while (at < end && is_digit(*at))
        sum = sum * 10 + (u64)(*at++ - '0');
    text->at = at;
    *digits = sum;
}

static double power_of_two(int exponent)
{
    u64 bits = (u64)(1023 + exponent) << 52;
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* digits / 10^q, rounded to nearest, of equal ones to even; digits above 0, 1 <= q <= MAX_FIFTHS.
 *
 * With both shifted to the top of a word, W and D, X = W 2^63 / D has 63 or 64 bits before the point, of which 53 stay.
 * W times the inverse of D, which is rounded down, gives its floor H or one less: so H <= X < H + 2. Where that leaves
 * open on which side of the half X lies, it is divided in full.
 */
static double quotient(u64 digits, int q, const struct fifths *fifths)
{
    int by = __builtin_clzll(digits);
    u64 w = digits << by, d = fifths->shifted[q];
    u64 h = (u64)(((u128)w * fifths->inverse[q]) >> 64);
    /* near 2^63 the two candidates may differ in their number of bits */
    int drop = h >> 63 ? 11 : 10, exact = h >= ((u64)1 << 63) - 2 && h < (u64)1 << 63;
    u64 half = (u64)1 << (drop - 1), low = h & (2 * half - 1);
    u64 kept;
    if (exact || low == half || low + 1 == half) {
        u128 over = (u128)w << 63;
        u64 whole = (u64)(over / d), rest = (u64)(over % d);
        drop = whole >> 63 ? 11 : 10;
        half = (u64)1 << (drop - 1);
        low = whole & (2 * half - 1);
        kept = whole >> drop;
        kept += low > half || (low == half && (rest || (kept & 1)));
    } else {
        kept = (h >> drop) + (low > half);
    }
    return (double)kept * power_of_two(drop - 63 + fifths->by[q] - by - q);
}

static enum outcome by_library(const struct text *text, const uint8_t *from, double *value)
{
    char copy[LONGEST + 1], *stop;
    size_t length = (size_t)(text->at - from);
    if (length > LONGEST || !text->plain_point)
        return OTHER;
    memcpy(copy, from, length);
    copy[length] = 0;
    *value = strtod(copy, &stop);
    return stop == copy + length && isfinite(*value) ? FINE : OTHER;
}

enum outcome read_number(struct text *text, double *value)
{
    const uint8_t *from = text->at, *start;
    int negative = from < text->end && *from == '-';
    text->at = start = from + negative;
    u64 digits = 0;
    take_digits(text, &digits);
    i64 many = text->at - start;
    if (text->at == text->end)
        return MORE;
    if (many == 0 || (many > 1 && *start == '0'))
        return OTHER;
    i64 exponent = 0, leading = *start == '0';
    int whole = 1;
    if (*text->at == '.') {
        const uint8_t *point = ++text->at;
        take_digits(text, &digits);
        if (text->at == text->end)
            return MORE;
        exponent = point - text->at;
        if (exponent == 0)
            return OTHER;
        many -= exponent;
        whole = 0;
        if (many > 19 && leading)
            while (point < text->at && *point++ == '0')
                leading++;
    }
    if (*text->at == 'e' || *text->at == 'E') {
        int down = 0;
        if (++text->at == text->end)
            return MORE;
        if (*text->at == '-' || *text->at == '+')
            down = *text->at++ == '-';
        i64 written = 0, places = 0;
        while (text->at < text->end && is_digit(*text->at)) {
            if (++places > 3)
                return OTHER;
            written = written * 10 + (*text->at++ - '0');
        }
        if (text->at == text->end)
            return MORE;
        if (places == 0)
            return OTHER;
        exponent += down ? -written : written;
        whole = 0;
    }
    if (many - leading > 19)
        return whole ? OTHER : by_library(text, from, value);
    double size;
    if (digits == 0) {
        if (whole && negative)
            return OTHER; /* a whole number has no sign of zero */
        size = 0.0;
    } else if (exponent == 0) {
        size = (double)digits;
    } else if (digits <= (u64)1 << 53 && exponent >= -22 && exponent <= 22) {
        size = exponent < 0 ? (double)digits / TENS[-exponent] : (double)digits * TENS[exponent];
    } else if (exponent < 0 && exponent >= -MAX_FIFTHS) {
        size = quotient(digits, (int)-exponent, text->fifths);
    } else {
        return by_library(text, from, value);
    }
    *value = negative ? -size : size;
    return FINE;
}

enum outcome read_whole(struct text *text, i64 *value)
{
    int negative = text->at < text->end && *text->at == '-';
    text->at += negative;
    const uint8_t *start = text->at;
    u64 digits = 0;
    take_digits(text, &digits);
    i64 many = text->at - start;
    if (text->at == text->end)
        return MORE;
    uint8_t next = *text->at;
    if (many == 0 || many > 18 || (*start == '0' && (many > 1 || negative)) || next == '.' || next == 'e' || next == 'E')
        return OTHER;
    *value = negative ? -(i64)digits : (i64)digits;
    return FINE;
}

enum outcome read_key(struct text *text, const uint8_t **key, size_t *length)
{
    enum outcome found = expect(text, '"');
    if (found != FINE)
        return found;
    *key = text->at;
    while (text->at < text->end && *text->at != '"') {
        if (*text->at == '\\' || *text->at < 0x20 || *text->at > 0x7e)
            return OTHER;
        text->at++;
    }
    if (text->at == text->end)
        return MORE;
    *length = (size_t)(text->at - *key);
    text->at++;
    return expect(text, ':');
}

/* Four hexadecimal digits of a character; halves of a pair are left to the general reader. */
static enum outcome skip_unit(struct text *text)
{
    unsigned unit = 0;
    for (int n = 0; n < 4; n++) {
        if (text->at == text->end)
            return MORE;
        uint8_t c = *text->at++, low = c | 32;
        if (!is_digit(c) && (low < 'a' || low > 'f'))
            return OTHER;
        unit = unit * 16 + (unsigned)(is_digit(c) ? c - '0' : low - 'a' + 10);
    }
    return unit >= 0xd800 && unit < 0xe000 ? OTHER : FINE;
}

/* Escapes that stand for one character; a text that is known to be UTF-8 may hold what is not ASCII. */
static enum outcome skip_string(struct text *text)
{
    text->at++;
    while (text->at < text->end && *text->at != '"') {
        uint8_t c = *text->at++;
        if (c == '\\') {
            if (text->at == text->end)
                return MORE;
            c = *text->at++;
            if (c == 'u') {
                enum outcome found = skip_unit(text);
                if (found != FINE)
                    return found;
            } else if (c == 0 || strchr("\"\\/bfnrt", c) == NULL) {
                return OTHER;
            }
        } else if (c < 0x20 || (c > 0x7e && !text->utf8)) {
            return OTHER;
        }
    }
    if (text->at == text->end)
        return MORE;
    text->at++;
    return FINE;
}

static enum outcome skip_word(struct text *text, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(text->end - text->at) < length)
        return MORE;
    if (memcmp(text->at, word, length) != 0)
        return OTHER;
    text->at += length;
    return FINE;
}

/* Past a number without computing it, if a general reader would take it: digits and exponent are few. */
static enum outcome skip_number(struct text *text)
{
    double unused;
    return read_number(text, &unused);
}

static enum outcome skip_many(struct text *text, uint8_t closing, int depth)
{
    enum outcome found;
    int last = 0;
    const uint8_t *key;
    size_t length;
    text->at++;
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at == closing) {
        text->at++;
        return FINE;
    }
    while (!last) {
        if (closing == '}' && (found = read_key(text, &key, &length)) != FINE)
            return found;
        if ((found = skip_value(text, depth + 1)) != FINE || (found = next_or_last(text, closing, &last)) != FINE)
            return found;
    }
    return FINE;
}

enum outcome skip_value(struct text *text, int depth)
{
    if (depth > MAX_DEPTH)
        return OTHER;
    if (skip_space(text) == MORE)
        return MORE;
    switch (*text->at) {
    case '"':
        return skip_string(text);
    case '[':
        return skip_many(text, ']', depth);
    case '{':
        return skip_many(text, '}', depth);
    case 't':
        return skip_word(text, "true");
    case 'f':
        return skip_word(text, "false");
    case 'n':
        return skip_word(text, "null");
    default:
        return skip_number(text);
    }
}
