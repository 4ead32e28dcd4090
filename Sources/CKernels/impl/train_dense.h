// The small dense parts of a training step.
#ifndef GEMMASCOPE_IMPL_TRAIN_DENSE_H
#define GEMMASCOPE_IMPL_TRAIN_DENSE_H

typedef struct dense_context {
  int64_t rows, cols;
  const float *x;
  int64_t ldx;
  float scale;
  const float *bias;
  float *out;
  double *sums, *squares;
} dense_context;

GS_FN void scale_rows_task(void *context, int64_t task, int worker) {
  (void)worker;
  const dense_context *c = context;
  const int64_t last = gs_min64(c->rows, (task + 1) * GS_TRAIN_TOKENS);
  for (int64_t row = task * GS_TRAIN_TOKENS; row < last; row++) {
    const float *x = c->x + row * c->ldx;
    float *out = c->out + row * c->cols;
    for (int64_t j = 0; j < c->cols; j++) out[j] = x[j] * c->scale - (c->bias ? c->bias[j] : 0.0f);
  }
}

GS_FN void scale_rows(gs_pool *pool, int64_t rows, int64_t d, const float *x, int64_t ldx, float scale,
                      const float *bias, float *out) {
  dense_context job = {.rows = rows, .cols = d, .x = x, .ldx = ldx, .scale = scale, .bias = bias, .out = out};
  gs_pool_run(pool, gs_ceil_div(rows, GS_TRAIN_TOKENS), scale_rows_task, &job);
}

/// Columns of one task of column_sums, a cache line.
#define GS_SUM_COLUMNS 16

GS_FN void column_sums_task(void *context, int64_t task, int worker) {
  (void)worker;
  const dense_context *c = context;
  const int64_t first = task * GS_SUM_COLUMNS, n = gs_min64(GS_SUM_COLUMNS, c->cols - first);
  double sums[GS_SUM_COLUMNS] = {0}, squares[GS_SUM_COLUMNS] = {0};
  for (int64_t row = 0; row < c->rows; row++) {
    const float *x = c->x + row * c->ldx + first;
    for (int64_t j = 0; j < n; j++) {
      sums[j] += x[j];
      squares[j] += (double)x[j] * x[j];
    }
  }
  memcpy(c->sums + first, sums, (size_t)n * sizeof(double));
  if (c->squares) memcpy(c->squares + first, squares, (size_t)n * sizeof(double));
}

GS_FN void column_sums(gs_pool *pool, int64_t rows, int64_t d, const float *x, int64_t ldx, double *sums,
                       double *squares) {
  dense_context job = {.rows = rows, .cols = d, .x = x, .ldx = ldx, .sums = sums, .squares = squares};
  gs_pool_run(pool, gs_ceil_div(d, GS_SUM_COLUMNS), column_sums_task, &job);
}

GS_FN void transpose_task(void *context, int64_t task, int worker) {
  (void)worker;
  const dense_context *c = context;
  const int64_t first = task * 16, last = gs_min64(c->cols, first + 16);
  for (int64_t block = 0; block < c->rows; block += 16)
    for (int64_t j = first; j < last; j++)
      for (int64_t row = block; row < gs_min64(c->rows, block + 16); row++)
        c->out[j * c->rows + row] = c->x[row * c->ldx + j];
}

GS_FN void transpose(gs_pool *pool, int64_t rows, int64_t cols, const float *x, int64_t ldx, float *out) {
  dense_context job = {.rows = rows, .cols = cols, .x = x, .ldx = ldx, .out = out};
  gs_pool_run(pool, gs_ceil_div(cols, 16), transpose_task, &job);
}

#endif
