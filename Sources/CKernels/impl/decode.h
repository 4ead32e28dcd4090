// Sparse decoding: each row of the output is a few rows of a stored matrix, weighted and added up. Rows are read where
// they lie (fp32) or widened into the first-level cache.
#ifndef GEMMASCOPE_IMPL_DECODE_H
#define GEMMASCOPE_IMPL_DECODE_H

/// Columns per task.
#define GS_DECODE_COLUMNS 512

GS_FN void decode_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gs_decode *c = context;
  const int64_t strips = gs_ceil_div(c->d, GS_DECODE_COLUMNS), row = task / strips;
  const int64_t j = task % strips * GS_DECODE_COLUMNS, n = gs_min64(GS_DECODE_COLUMNS, c->d - j);
  const int direct = c->w.dtype == GS_F32 && c->w.row_bytes % 4 == 0;
  float *y = c->y + row * c->ldy + j;
  if (!c->accumulate && c->bias == NULL) memset(y, 0, (size_t)n * sizeof(float));
  if (!c->accumulate && c->bias != NULL) memcpy(y, c->bias + j, (size_t)n * sizeof(float));
  if (c->accumulate && c->bias != NULL)
    for (int64_t q = 0; q < n; q++) y[q] += c->bias[j + q];
  float spare[4 * GS_DECODE_COLUMNS];
  const float *rows[4];
  const int64_t end = c->row_offsets[row + 1];
  for (int64_t e = c->row_offsets[row]; e < end; e += 4) {
    const int count = (int)gs_min64(4, end - e);
    for (int q = 0; q < count; q++) {
      const int64_t feature = c->features[e + q];
      if (direct) {
        rows[q] = (const float *)c->w.data + feature * (c->w.row_bytes / 4) + j;
      } else {
        widen(&c->w, feature, j, n, spare + q * n);
        rows[q] = spare + q * n;
      }
    }
    if (count == 4)
      add_rows(4, rows, 1, c->activations + e, 0, n, y, 0);
    else
      for (int q = 0; q < count; q++) add_rows(1, rows + q, 1, c->activations + e + q, 0, n, y, 0);
  }
}

GS_FN void decode(gs_pool *pool, const gs_decode *c) {
  gs_pool_run(pool, c->rows * gs_ceil_div(c->d, GS_DECODE_COLUMNS), decode_task, (void *)c);
}

#endif
