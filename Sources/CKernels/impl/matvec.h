// y = x·W for few rows of x (a decode step): bound by reading W, so W is read once, in its stored format, and widened in
// registers. Rows of W that are outputs become dot products; rows that are inputs are added up into column strips.
#ifndef GEMMASCOPE_IMPL_MATVEC_H
#define GEMMASCOPE_IMPL_MATVEC_H

#include "impl/pool.h"

/// Bytes of weights per task: enough to outweigh taking a task, few enough to share a small matrix.
#define GS_TASK_BYTES 16384
/// The most rows of weights per task.
#define GS_TASK_ROWS 1024
/// The most rows of x that take this path.
#define GS_FEW_ROWS 8

GS_INLINE float sum16(f32x16 v) {
  const f32x16 a = v + v.s89abcdefcdefcdef;
  const f32x16 b = a + a.s4567456745674567;
  const f32x16 c = b + b.s2323232323232323;
  return c[0] + c[1];
}

// ---------------------------------------------------------------------------------------------------------------
// Dot products

/// y[i · stride + r] = x[i] · w[row + r] over k inputs for i < m rows of x (m <= 4) and r < rows (<= 4); `dtype`, `m` and `rows` are
/// constants where this is inlined. `sums` [m, blocks] holds the sums of x over 32 columns, for formats with shifts.
GS_INLINE void dot_rows(gs_dtype dtype, const int m, const int rows, const gs_matrix *w, int64_t row, int64_t k,
                        const float *x, int64_t ldx, const float *sums, float *y, int64_t stride) {
  const int per_unit = blocks_per_unit(dtype);
  const int64_t units = k / (32 * per_unit), bytes = unit_bytes(dtype), blocks = units * per_unit;
  const uint8_t *data = (const uint8_t *)w->data + row * w->row_bytes;
  f32x16 total[4][4];
  float shifts[4][4];
#pragma clang loop unroll(full)
  for (int i = 0; i < m; i++)
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) total[i][r] = (f32x16)0.0f, shifts[i][r] = 0.0f;
  typedef float f32x8 __attribute__((ext_vector_type(8)));
  f32x8 shift_total[4] = {(f32x8)0.0f, (f32x8)0.0f, (f32x8)0.0f, (f32x8)0.0f};

  unit_header headers[4];
#pragma clang loop unroll(disable)
  for (int64_t u = 0; u < units; u++) {
    const float *at = x + u * 32 * per_unit;
    const uint8_t *unit[4];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      unit[r] = data + r * w->row_bytes + u * bytes;
      read_header(dtype, unit[r], &headers[r]);
    }
    // In memory, a scale is spread over the lanes by the load that fetches it; in registers it would take a shuffle.
    if (is_k_format(dtype)) __asm__ volatile("" : : "r"(headers) : "memory");
#pragma clang loop unroll(full)
    for (int b = 0; b < per_unit; b++) {
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const float *scale = headers[r].scale;
        f32x16 first, second;
        if (m == 1) {
          // Once per block: cheaper than scaling each weight.
          read_block(dtype, unit[r], b, &first, &second);
          const f32x16 x0 = load16(at + 32 * b), x1 = load16(at + 32 * b + 16);
          if (!is_block_format(dtype))
            total[0][r] += first * x0, total[0][r] += second * x1;
          else if (dtype == GS_Q6_K)
            total[0][r] += first * x0 * scale[2 * b], total[0][r] += second * x1 * scale[2 * b + 1];
          else
            total[0][r] += (first * x0 + second * x1) * scale[is_k_format(dtype) ? b : 0];
        } else {
          read_weights(dtype, unit[r], &headers[r], b, &first, &second);
#pragma clang loop unroll(full)
          for (int i = 0; i < m; i++) {
            total[i][r] += first * load16(at + i * ldx + 32 * b);
            total[i][r] += second * load16(at + i * ldx + 32 * b + 16);
          }
        }
      }
    }
    if (m == 1 && has_shift(dtype)) {
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        if (is_k_format(dtype)) {
          f32x8 shift, sum;
          memcpy(&shift, headers[r].scale + 8, sizeof shift);
          memcpy(&sum, sums + u * 8, sizeof sum);
          shift_total[r] += shift * sum;
        } else {
          shifts[0][r] += headers[r].scale[8] * sums[u];
        }
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < m; i++)
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      if (m == 1 && has_shift(dtype) && is_k_format(dtype)) total[i][r].lo += shift_total[r];
      float sum = sum16(total[i][r]) + shifts[i][r];
      const uint8_t *one = data + r * w->row_bytes;
      for (int64_t p = blocks * 32; p < k; p++) sum += weight_at(dtype, one, p) * x[i * ldx + p];
      y[i * stride + r] = dtype == GS_I8 ? sum * w->row_scale[row + r] : sum;
    }
}

#define GS_DOTS(DTYPE)                                                                                              \
  GS_FN void dots_##DTYPE(const gs_matrix *w, int64_t row, int64_t rows, int64_t k, int64_t m, const float *x,      \
                          int64_t ldx, const float *sums, float *y, int64_t stride) {                               \
    int64_t r = 0;                                                                                                  \
    switch (m) {                                                                                                    \
      case 1:                                                                                                       \
        for (; r + 4 <= rows; r += 4) dot_rows(DTYPE, 1, 4, w, row + r, k, x, ldx, sums, y + r, stride);            \
        for (; r < rows; r++) dot_rows(DTYPE, 1, 1, w, row + r, k, x, ldx, sums, y + r, stride);                    \
        return;                                                                                                     \
      case 2:                                                                                                       \
        for (; r + 2 <= rows; r += 2) dot_rows(DTYPE, 2, 2, w, row + r, k, x, ldx, sums, y + r, stride);            \
        for (; r < rows; r++) dot_rows(DTYPE, 2, 1, w, row + r, k, x, ldx, sums, y + r, stride);                    \
        return;                                                                                                     \
      case 3:                                                                                                       \
        for (; r < rows; r++) dot_rows(DTYPE, 3, 1, w, row + r, k, x, ldx, sums, y + r, stride);                    \
        return;                                                                                                     \
      default:                                                                                                      \
        for (; r < rows; r++) dot_rows(DTYPE, 4, 1, w, row + r, k, x, ldx, sums, y + r, stride);                    \
    }                                                                                                               \
  }
GS_DOTS(GS_F32)
GS_DOTS(GS_F16)
GS_DOTS(GS_BF16)
GS_DOTS(GS_Q8_0)
GS_DOTS(GS_Q4_0)
GS_DOTS(GS_Q4_1)
GS_DOTS(GS_Q5_0)
GS_DOTS(GS_Q5_1)
GS_DOTS(GS_Q4_K)
GS_DOTS(GS_Q5_K)
GS_DOTS(GS_Q6_K)
GS_DOTS(GS_I8)
#undef GS_DOTS

typedef void (*dots_function)(const gs_matrix *w, int64_t row, int64_t rows, int64_t k, int64_t m, const float *x,
                              int64_t ldx, const float *sums, float *y, int64_t stride);
static const dots_function dots_of_dtype[] = {
    [GS_F32] = dots_GS_F32,   [GS_F16] = dots_GS_F16,   [GS_BF16] = dots_GS_BF16, [GS_Q8_0] = dots_GS_Q8_0,
    [GS_Q4_0] = dots_GS_Q4_0, [GS_Q4_1] = dots_GS_Q4_1, [GS_Q5_0] = dots_GS_Q5_0, [GS_Q5_1] = dots_GS_Q5_1,
    [GS_Q4_K] = dots_GS_Q4_K, [GS_Q5_K] = dots_GS_Q5_K, [GS_Q6_K] = dots_GS_Q6_K, [GS_I8] = dots_GS_I8,
};

/// y[i · stride + r] = x[i] · w[row + r] for i < m, r < rows, k inputs; `sums` as block_sums gives them.
GS_INLINE void dots(const gs_matrix *w, int64_t row, int64_t rows, int64_t k, int64_t m, const float *x, int64_t ldx,
                    const float *sums, float *y, int64_t stride) {
  for (int64_t i = 0; i < m; i += 4)
    dots_of_dtype[w->dtype](w, row, rows, k, gs_min64(4, m - i), x + i * ldx, ldx, sums + i * (k / 32), y + i * stride,
                            stride);
}

/// sums[i, b] = Σ x[i, 32 b ..< 32 b + 32], which the shifts of whole blocks multiply.
GS_INLINE void block_sums(int64_t m, int64_t k, const float *x, int64_t ldx, float *sums) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t b = 0; b < k / 32; b++)
      sums[i * (k / 32) + b] = sum16(load16(x + i * ldx + 32 * b) + load16(x + i * ldx + 32 * b + 16));
}

/// Rows per task: about GS_TASK_BYTES of weights, more when there are many tasks, and whole groups of four.
GS_INLINE int64_t rows_per_task(const gs_matrix *w, int64_t n) {
  const int64_t bytes = gs_max64(GS_TASK_BYTES, w->row_bytes * n / 256);
  return gs_max64(4, gs_min64(GS_TASK_ROWS, bytes / gs_max64(1, w->row_bytes) / 4 * 4));
}

// ---------------------------------------------------------------------------------------------------------------
// Sums of rows

/// y[i, 0 ..< n] += Σ over q < count of x[i · ldx + q] · rows[q][0 ..< n], for i < m.
GS_INLINE void add_rows(const int count, const float *const *rows, int64_t m, const float *x, int64_t ldx, int64_t n,
                        float *y, int64_t stride) {
  for (int64_t i = 0; i < m; i++) {
    const float *factor = x + i * ldx;
    float *out = y + i * stride;
    int64_t j = 0;
    for (; j + GS_VW <= n; j += GS_VW) {
      vf sum = vf_load(out + j);
#pragma clang loop unroll(full)
      for (int q = 0; q < count; q++) sum += factor[q] * vf_load(rows[q] + j);
      vf_store(out + j, sum);
    }
    for (; j < n; j++) {
      vf sum = vf_set(out[j]);
#pragma clang loop unroll(full)
      for (int q = 0; q < count; q++) sum += factor[q] * vf_set(rows[q][j]);
      out[j] = sum[0];
    }
  }
}

/// y[m, n] = x[m, k] · w[0 ..< k, col ..< col + n], rows in rising order; `spare` holds 4 · n floats.
GS_FN void sum_rows(const gs_matrix *w, int64_t col, int64_t n, int64_t k, int64_t m, const float *x, int64_t ldx,
                    float *y, int64_t stride, float *spare) {
  const int direct = w->dtype == GS_F32 && w->row_bytes % 4 == 0;
  for (int64_t i = 0; i < m; i++) memset(y + i * stride, 0, (size_t)n * sizeof(float));
  const float *rows[4];
  for (int64_t p = 0; p < k; p += 4) {
    const int count = (int)gs_min64(4, k - p);
    for (int q = 0; q < count; q++) {
      if (direct) {
        rows[q] = (const float *)w->data + (p + q) * (w->row_bytes / 4) + col;
      } else {
        widen(w, p + q, col, n, spare + q * n);
        rows[q] = spare + q * n;
      }
    }
    if (count == 4)
      add_rows(4, rows, m, x + p, ldx, n, y, stride);
    else
      for (int q = 0; q < count; q++) add_rows(1, rows + q, m, x + p + q, ldx, n, y, stride);
  }
}

/// Columns per task: runs of memory long enough to stream, some dozens of tasks where there are as many columns, and
/// sums that stay in the first-level cache.
GS_INLINE int64_t columns_per_task(int64_t m, int64_t n) {
  return gs_max64(64, gs_min64(m > 1 ? 512 : 1024, n / 32 / 32 * 32));
}

// ---------------------------------------------------------------------------------------------------------------
// The product

typedef struct matvec_context {
  const gs_gemm *gemm;
  int64_t each;  ///< outputs per task
  const float *sums;
  float *scratch;
  int64_t scratch_each;
} matvec_context;

GS_FN void matvec_task(void *context, int64_t task, int worker) {
  const matvec_context *job = context;
  const gs_gemm *g = job->gemm;
  const int64_t first = task * job->each, n = gs_min64(job->each, g->n - first);
  float *y = job->scratch + worker * job->scratch_each;
  if (g->layout == GS_ROWS_ARE_OUTPUTS)
    dots(&g->b, first, n, g->k, g->m, g->a, g->lda, job->sums, y, n);
  else
    sum_rows(&g->b, first, n, g->k, g->m, g->a, g->lda, y, n, y + g->m * n);
  for (int64_t i = 0; i < g->m; i++) {
    const float *from = y + i * n;
    float *to = g->c + i * g->ldc + first;
    for (int64_t j = 0; j < n; j++) {
      float value = from[j];
      if (g->accumulate) value += to[j];
      if (g->bias) value += g->bias[first + j];
      to[j] = value;
    }
  }
}

/// gemm for few rows of `a` (at most GS_FEW_ROWS), one of them at least, and at least one input.
GS_FN int matvec(gs_pool *pool, const gs_gemm *g) {
  const int dotted = g->layout == GS_ROWS_ARE_OUTPUTS;
  const int64_t each = dotted ? rows_per_task(&g->b, g->n) : columns_per_task(g->m, g->n);
  const int64_t sums = dotted && has_shift(g->b.dtype) ? (g->m * (g->k / 32) + 15) / 16 * 16 : 0;
  const int64_t scratch = (g->m + (dotted ? 0 : 4)) * each + 16;
  float *memory = gs_pool_borrow(pool, sums + scratch * gs_pool_threads(pool));
  if (memory == NULL) return GS_OUT_OF_MEMORY;
  if (sums > 0) block_sums(g->m, g->k, g->a, g->lda, memory);
  matvec_context job = {g, each, memory, memory + sums, scratch};
  gs_pool_run(pool, gs_ceil_div(g->n, each), matvec_task, &job);
  gs_pool_return(pool, memory);
  return GS_OK;
}

#endif
