/* What all files of the compiled helper share.
 *
 * Every array is passed as a pointer and its length, so that each function can check its bounds. Functions return a
 * number that is zero or more, or one of the negative codes below; they allocate nothing that outlives the call, and
 * hold no state. Doubles are IEEE binary64 without wider intermediate values: anything else fails to compile, and
 * hrbench then runs on NumPy.
 */
#ifndef HRBENCH_NATIVE_H
#define HRBENCH_NATIVE_H

#include <float.h>
#include <stdint.h>

#if FLT_EVAL_METHOD != 0
#error "doubles would be rounded differently"
#endif
#ifdef __FAST_MATH__
#error "numbers would be rounded differently"
#endif
#ifndef __SIZEOF_INT128__
#error "128-bit integers are needed"
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum {
    HRB_BOUNDS = -1, /* lengths or row numbers do not fit one another: a fault of the caller */
    HRB_MEMORY = -2, /* no memory */
    HRB_NOT_MINE = -3 /* valid or not, the general code has to look at it */
};

typedef int64_t i64;
typedef uint64_t u64;
typedef unsigned __int128 u128;

#endif
