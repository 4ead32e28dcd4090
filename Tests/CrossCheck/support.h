// Seeded random content, memory that a round of comparisons gives back at once, and what counts as agreement.
#ifndef GEMMASCOPE_CROSS_CHECK_SUPPORT_H
#define GEMMASCOPE_CROSS_CHECK_SUPPORT_H

#include "CKernels.h"

/// The tables that are compared, and the threads they run on.
extern const gs_kernels *fast, *slow;
extern gs_pool *pool;
/// Comparisons that failed so far.
extern int failures;

/// What a round allocates with the functions below lasts until `release`.
void *room(int64_t bytes);
float *floats(int64_t n);
float *copy(const float *x, int64_t n);
void release(void);

uint32_t bits(void);
/// -1 ..< 1.
float uniform(void);
/// 1 ... limit, small sizes more often.
int64_t size(int64_t limit);

enum { FORMATS = 12 };
extern const struct format {
  gs_dtype dtype;
  const char *name;
  int block, bytes;
} formats[FORMATS];
/// The place of a type in `formats`.
int format_of(gs_dtype dtype);
/// Random content whose scales are ordinary numbers. `cols` is rounded up to whole blocks.
gs_matrix matrix(int format, int64_t rows, int64_t cols);

/// Elementwise difference of at most `tolerance` times the largest magnitude of `want`. `what` is a format of printf.
void expect_close(const float *got, const float *want, int64_t n, float tolerance, const char *what, ...);
/// The same bytes.
void expect_same(const void *got, const void *want, int64_t bytes, const char *what);

void compare_dense(void);
void compare_rows(void);
void compare_attention(void);
void compare_sparse(void);
void compare_training(void);

#endif
