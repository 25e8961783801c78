/* Rows of COCO's annotation and results files, from JSON text to columns.
 *
 * A list of objects is read, of which each field is skipped, needed, optional or refused. The text may be a part of a
 * file: reading stops before the first row that is not there as a whole.
 */
#include "json_text.h"

enum field { ID, IMAGE, CATEGORY, SCORE, AREA, CROWD, IGNORE, LABELLED, BOX, POINTS, MASK, CAPTION, FIELDS };
enum mode { SKIPPED, NEEDED, OPTIONAL, REFUSED };
enum place { START, FIRST, AFTER, NEXT, DONE };
enum kind { NO_MASK, POLYGONS, RUNS, CODE };

static const char *const NAMES[FIELDS] = {"id",     "image_id",      "category_id", "score",     "area",         "iscrowd",
                                          "ignore", "num_keypoints", "bbox",        "keypoints", "segmentation", "caption"};

static const uint8_t LETTERS[FIELDS] = {2, 8, 11, 5, 4, 7, 6, 13, 4, 9, 12, 7}; /* of the names */

/* Columns, with room for so many elements. */
struct whole_column {
    i64 *at, room, many;
};
struct real_column {
    double *at;
    i64 room, many;
};
struct byte_column {
    uint8_t *at;
    i64 room, many;
};

struct masks {
    struct byte_column kind, code;
    struct whole_column size, parts, ring, run;
    struct real_column point;
};

static enum outcome add_whole(struct whole_column *column, i64 value)
{
    if (column->many >= column->room)
        return OTHER;
    column->at[column->many++] = value;
    return FINE;
}

/* Numbers of a list, of which there may be `most`; -1: as many as there is room for. */
static enum outcome read_numbers(struct text *text, double *into, i64 most, i64 *many)
{
    enum outcome found = expect(text, '[');
    int last = 0;
    *many = 0;
    if (found != FINE)
        return found;
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at == ']') {
        text->at++;
        return FINE;
    }
    while (!last) {
        if (*many >= most)
            return OTHER;
        if (skip_space(text) == MORE)
            return MORE;
        if ((found = read_number(text, into + *many)) != FINE || (found = next_or_last(text, ']', &last)) != FINE)
            return found;
        ++*many;
    }
    return FINE;
}

static enum outcome read_exactly(struct text *text, double *into, i64 wanted)
{
    i64 many;
    enum outcome found = read_numbers(text, into, wanted, &many);
    return found != FINE ? found : many == wanted ? FINE : OTHER;
}

/* 0 or 1, or false or true. */
static enum outcome read_flag(struct text *text, uint8_t *flag)
{
    i64 value;
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at == 't' || *text->at == 'f') {
        *flag = *text->at == 't';
        return skip_value(text, 0);
    }
    enum outcome found = read_whole(text, &value);
    *flag = value == 1;
    return found != FINE ? found : value == 0 || value == 1 ? FINE : OTHER;
}

static enum outcome read_polygons(struct text *text, double limit, struct masks *masks)
{
    enum outcome found = expect(text, '[');
    i64 rings = 0;
    int last = 0;
    while (!last) {
        i64 many, room = masks->point.room - masks->point.many;
        double *into = masks->point.at + masks->point.many;
        if ((found = read_numbers(text, into, room, &many)) != FINE)
            return found;
        if (many < 6 || many % 2)
            return OTHER;
        for (i64 n = 0; n < many; n++)
            if (!(into[n] >= -limit && into[n] <= limit))
                return OTHER;
        masks->point.many += many;
        if ((found = add_whole(&masks->ring, many)) != FINE || (found = next_or_last(text, ']', &last)) != FINE)
            return found;
        rings++;
    }
    return add_whole(&masks->parts, rings);
}

static enum outcome read_runs(struct text *text, struct masks *masks)
{
    enum outcome found = expect(text, '[');
    i64 many = 0, value;
    int last = 0;
    while (!last) {
        if (skip_space(text) == MORE)
            return MORE;
        if ((found = read_whole(text, &value)) != FINE || (found = add_whole(&masks->run, value)) != FINE
            || (found = next_or_last(text, ']', &last)) != FINE)
            return found;
        many++;
    }
    return add_whole(&masks->parts, many);
}

static enum outcome read_code(struct text *text, struct masks *masks)
{
    i64 before = masks->code.many;
    for (text->at++; text->at < text->end && *text->at != '"'; text->at++) {
        if (*text->at == '\\') { /* of compressed codes only this character is escaped */
            if (text->end - text->at < 2)
                return MORE;
            if (*++text->at != '\\')
                return OTHER;
        }
        if (*text->at < 48 || *text->at > 111 || masks->code.many >= masks->code.room)
            return OTHER;
        masks->code.at[masks->code.many++] = *text->at;
    }
    if (text->at == text->end)
        return MORE;
    text->at++;
    return add_whole(&masks->parts, masks->code.many - before);
}

static enum outcome read_counts(struct text *text, i64 row, struct masks *masks)
{
    enum outcome found = expect(text, '{');
    int last = 0, sized = 0, counted = 0;
    const uint8_t *key;
    size_t length;
    while (!last) {
        if ((found = read_key(text, &key, &length)) != FINE)
            return found;
        if (skip_space(text) == MORE)
            return MORE;
        if (key_is(key, length, "size") && !sized) {
            sized = 1;
            for (int n = 0; n < 2; n++)
                if ((found = expect(text, n ? ',' : '[')) != FINE || (found = skip_space(text)) != FINE
                    || (found = read_whole(text, masks->size.at + 2 * row + n)) != FINE)
                    return found;
            found = expect(text, ']');
        } else if (key_is(key, length, "counts") && !counted) {
            counted = 1;
            masks->kind.at[row] = *text->at == '"' ? CODE : RUNS;
            found = *text->at == '"' ? read_code(text, masks) : read_runs(text, masks);
        } else {
            return OTHER;
        }
        if (found != FINE || (found = next_or_last(text, '}', &last)) != FINE)
            return found;
    }
    return sized && counted ? FINE : OTHER;
}

static enum outcome read_mask(struct text *text, double limit, i64 row, struct masks *masks)
{
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at != '[')
        return read_counts(text, row, masks);
    masks->kind.at[row] = POLYGONS;
    masks->size.at[2 * row] = masks->size.at[2 * row + 1] = 0;
    return read_polygons(text, limit, masks);
}

struct columns {
    const uint8_t *mode;
    i64 *id, *image, *category, *labelled;
    double *score, *area, *box, *points;
    uint8_t *crowd, *ignore, *boxed;
    i64 values;
    double limit;
    struct masks masks;
};

static enum outcome read_field(struct text *text, enum field field, i64 row, struct columns *columns)
{
    if (skip_space(text) == MORE)
        return MORE;
    switch (field) {
    case ID:
        return read_whole(text, columns->id + row);
    case IMAGE:
        return read_whole(text, columns->image + row);
    case CATEGORY:
        return read_whole(text, columns->category + row);
    case LABELLED:
        return read_whole(text, columns->labelled + row);
    case SCORE:
        return read_number(text, columns->score + row);
    case AREA:
        return read_number(text, columns->area + row);
    case CROWD:
        return read_flag(text, columns->crowd + row);
    case IGNORE:
        return read_flag(text, columns->ignore + row);
    case BOX:
        columns->boxed[row] = 1;
        return read_exactly(text, columns->box + 4 * row, 4);
    case POINTS:
        return read_exactly(text, columns->points + columns->values * row, columns->values);
    case MASK:
        return read_mask(text, columns->limit, row, &columns->masks);
    default:
        return OTHER;
    }
}

static enum field field_of(const uint8_t *key, size_t length)
{
    for (int field = 0; field < FIELDS; field++)
        if (LETTERS[field] == length && memcmp(key, NAMES[field], length) == 0)
            return (enum field)field;
    return FIELDS;
}

static enum outcome read_row(struct text *text, i64 row, struct columns *columns)
{
    enum outcome found = expect(text, '{');
    int last = 0;
    unsigned seen = 0;
    const uint8_t *key;
    size_t length;
    if (found != FINE)
        return found;
    if (columns->mode[CROWD])
        columns->crowd[row] = 0;
    if (columns->mode[IGNORE])
        columns->ignore[row] = 0;
    if (columns->mode[BOX])
        columns->boxed[row] = 0;
    while (!last) {
        if ((found = read_key(text, &key, &length)) != FINE)
            return found;
        enum field field = field_of(key, length);
        enum mode mode = field == FIELDS ? SKIPPED : (enum mode)columns->mode[field];
        if (mode == SKIPPED) {
            found = skip_value(text, 0);
        } else {
            if (mode == REFUSED || seen >> field & 1)
                return OTHER;
            seen |= 1u << field;
            found = read_field(text, field, row, columns);
        }
        if (found != FINE || (found = next_or_last(text, '}', &last)) != FINE)
            return found;
    }
    for (int field = 0; field < FIELDS; field++)
        if (columns->mode[field] == NEEDED && !(seen >> field & 1))
            return OTHER;
    return FINE;
}

/* Reads rows until the list, the text or the room for rows ends; the number of rows.
 *
 * mode: (12,) of each field. values: numbers in `keypoints`. limit: of coordinates of polygons.
 * cursor: (6,) position in the text and place in the list, both also given; then, of the rows of this call, how many
 * coordinates, rings, runs and characters of codes there are. Columns that are not asked for may be empty.
 */
EXPORT i64 hrb_coco_rows(const uint8_t *bytes, i64 length, const uint8_t *mode, i64 modes, i64 values, double limit,
                         i64 *cursor, i64 cursors, i64 *id, i64 ids, i64 *image, i64 images, i64 *category,
                         i64 categories, i64 *labelled, i64 labels, double *score, i64 scores, double *area, i64 areas,
                         double *box, i64 boxes, double *points, i64 pointed, uint8_t *flags, i64 flagged, uint8_t *kind,
                         i64 kinds, i64 *size, i64 sizes, i64 *parts, i64 parted, double *point, i64 point_room,
                         i64 *ring, i64 rings, i64 *run, i64 runs, uint8_t *code, i64 codes)
{
    if (modes != FIELDS || cursors != 6 || values < 0 || cursor[0] < 0 || cursor[0] > length)
        return HRB_BOUNDS;
    /* every column that is asked for has room for the rows of the shortest */
    i64 room = flagged / 3;
    const i64 rooms[FIELDS] = {ids,
                               images,
                               categories,
                               scores,
                               areas,
                               room,
                               room,
                               labels,
                               boxes / 4,
                               values ? pointed / values : room,
                               kinds < sizes / 2 ? kinds : sizes / 2,
                               room};
    for (int field = 0; field < FIELDS; field++) {
        if (mode[field] > REFUSED)
            return HRB_BOUNDS;
        if ((mode[field] == NEEDED || mode[field] == OPTIONAL) && rooms[field] < room)
            room = rooms[field];
    }
    i64 apart = flagged / 3;
    struct columns columns = {mode, id, image, category, labelled, score, area, box, points, flags, flags + apart,
                              flags + 2 * apart, values, limit,
                              {{kind, kinds, 0}, {code, codes, 0}, {size, sizes, 0}, {parts, parted, 0},
                               {ring, rings, 0}, {run, runs, 0}, {point, point_room, 0}}};
    struct fifths fifths;
    fill_fifths(&fifths);
    struct text text = {bytes + cursor[0], bytes + length, &fifths, point_is_plain(), 0};
    i64 rows = 0, place = cursor[1];
    enum outcome found = FINE;
    while (found == FINE && place != DONE) {
        cursor[0] = text.at - bytes;
        cursor[1] = place;
        if (skip_space(&text) == MORE)
            break;
        uint8_t c = *text.at;
        if (place == START) {
            found = expect(&text, '[');
            place = FIRST;
        } else if (c == ']' && (place == FIRST || place == AFTER)) {
            text.at++;
            place = DONE;
        } else if (place == AFTER) {
            found = expect(&text, ',');
            place = NEXT;
        } else {
            if (rows == room)
                break;
            i64 before[5] = {columns.masks.parts.many, columns.masks.point.many, columns.masks.ring.many,
                             columns.masks.run.many, columns.masks.code.many};
            found = read_row(&text, rows, &columns);
            if (found == FINE) {
                rows++;
                place = AFTER;
            } else {
                columns.masks.parts.many = before[0];
                columns.masks.point.many = before[1];
                columns.masks.ring.many = before[2];
                columns.masks.run.many = before[3];
                columns.masks.code.many = before[4];
            }
        }
    }
    if (found == OTHER)
        return HRB_NOT_MINE;
    if (place == DONE) {
        cursor[0] = text.at - bytes;
        cursor[1] = DONE;
    }
    cursor[2] = columns.masks.point.many;
    cursor[3] = columns.masks.ring.many;
    cursor[4] = columns.masks.run.many;
    cursor[5] = columns.masks.code.many;
    return rows;
}

/* Past a list, by its brackets and strings alone: whoever reads it later looks at the rest. */
static enum outcome pass_list(struct text *text)
{
    i64 depth = 0;
    if (skip_space(text) == MORE)
        return MORE;
    if (*text->at != '[')
        return OTHER;
    for (; text->at < text->end; text->at++) {
        uint8_t c = *text->at;
        if (c == '"') {
            for (text->at++; text->at < text->end && *text->at != '"'; text->at++)
                if (*text->at == '\\' && ++text->at == text->end)
                    return MORE;
            if (text->at == text->end)
                return MORE;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            text->at++;
            return FINE;
        }
    }
    return MORE;
}

/* Where the lists `images`, `annotations` and `categories` of an annotation file lie: (6,) start and end of each. */
EXPORT i64 hrb_coco_lists(const uint8_t *bytes, i64 length, i64 *spans, i64 many)
{
    static const char *const LISTS[3] = {"images", "annotations", "categories"};
    if (many != 6)
        return HRB_BOUNDS;
    struct fifths fifths;
    fill_fifths(&fifths);
    struct text text = {bytes, bytes + length, &fifths, point_is_plain(), 1};
    for (int n = 0; n < 6; n++)
        spans[n] = -1;
    int last = 0;
    const uint8_t *key;
    size_t letters;
    if (expect(&text, '{') != FINE)
        return HRB_NOT_MINE;
    while (!last) {
        if (read_key(&text, &key, &letters) != FINE)
            return HRB_NOT_MINE;
        int which = 0;
        while (which < 3 && !key_is(key, letters, LISTS[which]))
            which++;
        if (which == 3) {
            if (skip_value(&text, 0) != FINE)
                return HRB_NOT_MINE;
        } else {
            if (spans[2 * which] >= 0 || skip_space(&text) != FINE)
                return HRB_NOT_MINE;
            spans[2 * which] = text.at - bytes;
            if (pass_list(&text) != FINE)
                return HRB_NOT_MINE;
            spans[2 * which + 1] = text.at - bytes;
        }
        if (next_or_last(&text, '}', &last) != FINE)
            return HRB_NOT_MINE;
    }
    for (int n = 0; n < 6; n++)
        if (spans[n] < 0)
            return HRB_NOT_MINE;
    return skip_space(&text) == MORE ? 0 : HRB_NOT_MINE;
}
