// y = x·W for few rows of x (a decode step): bound by reading W, so W is read once, in its stored format, and widened
// in registers. Rows of W that are outputs become dot products; rows that are inputs are added up into column strips.
#ifndef GEMMASCOPE_IMPL_MATVEC_H
#define GEMMASCOPE_IMPL_MATVEC_H

#include "impl/dots.h"
#include "impl/pool.h"

/// Bytes of weights per task: enough to outweigh taking a task, few enough to share a small matrix.
#define GS_TASK_BYTES 16384
/// The most rows of weights per task.
#define GS_TASK_ROWS 1024
/// The most rows of x that take this path.
#define GS_FEW_ROWS 8

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
  int64_t each;       ///< outputs per task
  dot_inputs inputs;  ///< for dot products
  float *scratch;
  int64_t scratch_each;
} matvec_context;

GS_FN void matvec_task(void *context, int64_t task, int worker) {
  const matvec_context *job = context;
  const gs_gemm *g = job->gemm;
  const int64_t first = task * job->each, n = gs_min64(job->each, g->n - first);
  float *y = job->scratch + worker * job->scratch_each;
  if (g->layout == GS_ROWS_ARE_OUTPUTS)
    dots(&g->b, first, n, &job->inputs, y, n);
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
  const int64_t inputs = dotted ? g->m * dot_inputs_each(g->k) : 0;
  const int64_t scratch = (g->m + (dotted ? 0 : 4)) * each + 16;
  float *memory = gs_pool_borrow(pool, inputs + scratch * gs_pool_threads(pool));
  if (memory == NULL) return GS_OUT_OF_MEMORY;
  matvec_context job = {.gemm = g, .each = each, .scratch = memory + inputs, .scratch_each = scratch};
  if (dotted) job.inputs = dot_inputs_make(g->a, g->lda, g->m, g->k, memory);
  gs_pool_run(pool, gs_ceil_div(g->n, each), matvec_task, &job);
  gs_pool_return(pool, memory);
  return GS_OK;
}

#endif
