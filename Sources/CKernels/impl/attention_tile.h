// The matrix arithmetic of attention. Scores are kept with keys as rows and the tile's query rows as columns: then one
// small kernel serves every product of the forward and the backward pass, keys and values are read where they lie, and
// the softmax runs down the columns with a query row in each lane.
//
// The kernel is c[m, NR] (+)= a[m, k] · b[k, NR]. `b` is a packed panel; `a` is read by broadcasts from any two
// strides of which one is 1, so that it is never packed.

#if GS_VW == 16
enum { ATT_MR = 12 };
#elif GS_VW == 8
enum { ATT_MR = 6 };
#elif GS_VW == 4
enum { ATT_MR = 12 };
#else
enum { ATT_MR = 4 };
#endif
enum { ATT_NV = 2, ATT_NR = ATT_NV * GS_VW };

GS_INLINE int64_t att_round_up(int64_t n, int64_t unit) { return gs_ceil_div(n, unit) * unit; }

/// One block of `m` <= ATT_MR rows. A narrow last panel (`n` < ATT_NR) reaches `c` through a copy.
GS_INLINE void att_kernel(const int m, int64_t k, const float *a, int64_t row_stride, int64_t k_stride, const float *b,
                          float *c, int64_t ldc, int64_t n, int accumulate) {
  vf acc[ATT_MR][ATT_NV];
#pragma clang loop unroll(full)
  for (int r = 0; r < m; r++)
    for (int v = 0; v < ATT_NV; v++) acc[r][v] = vf_set(0);
  for (int64_t p = 0; p < k; p++) {
    vf x[ATT_NV];
    for (int v = 0; v < ATT_NV; v++) x[v] = vf_load(b + v * GS_VW);
#pragma clang loop unroll(full)
    for (int r = 0; r < m; r++) {
      const vf y = vf_set(a[r * row_stride]);
      for (int v = 0; v < ATT_NV; v++) acc[r][v] += y * x[v];
    }
    a += k_stride;
    b += ATT_NR;
  }
  if (n >= ATT_NR) {
#pragma clang loop unroll(full)
    for (int r = 0; r < m; r++)
      for (int v = 0; v < ATT_NV; v++) {
        float *to = c + r * ldc + v * GS_VW;
        vf_store(to, accumulate ? vf_load(to) + acc[r][v] : acc[r][v]);
      }
    return;
  }
  float narrow[ATT_MR][ATT_NR];
#pragma clang loop unroll(full)
  for (int r = 0; r < m; r++)
    for (int v = 0; v < ATT_NV; v++) vf_store(&narrow[r][v * GS_VW], acc[r][v]);
  for (int r = 0; r < m; r++)
    for (int64_t j = 0; j < n; j++) c[r * ldc + j] = accumulate ? c[r * ldc + j] + narrow[r][j] : narrow[r][j];
}

#define ATT_CASE(count, row_stride, k_stride)                                                \
  case count:                                                                                \
    if (count <= ATT_MR)                                                                     \
      att_kernel(count, k, a, row_stride, k_stride, b, c, ldc, n, accumulate);               \
    break;
#define ATT_SWITCH(row_stride, k_stride)                                                     \
  switch (m) {                                                                               \
    ATT_CASE(12, row_stride, k_stride)                                                       \
    ATT_CASE(11, row_stride, k_stride)                                                       \
    ATT_CASE(10, row_stride, k_stride)                                                       \
    ATT_CASE(9, row_stride, k_stride)                                                        \
    ATT_CASE(8, row_stride, k_stride)                                                        \
    ATT_CASE(7, row_stride, k_stride)                                                        \
    ATT_CASE(6, row_stride, k_stride)                                                        \
    ATT_CASE(5, row_stride, k_stride)                                                        \
    ATT_CASE(4, row_stride, k_stride)                                                        \
    ATT_CASE(3, row_stride, k_stride)                                                        \
    ATT_CASE(2, row_stride, k_stride)                                                        \
    ATT_CASE(1, row_stride, k_stride)                                                        \
  }

/// c[m, n] (+)= a·b with rows of `a` lying `lda` apart; m <= ATT_MR.
GS_FN __attribute__((noinline)) void att_rows(int64_t m, int64_t k, const float *a, int64_t lda, const float *b,
                                              float *c, int64_t ldc, int64_t n, int accumulate) {
  ATT_SWITCH(lda, 1)
}

/// c[m, n] (+)= aᵀ·b with `a` stored [k, m], `lda` apart; m <= ATT_MR.
GS_FN __attribute__((noinline)) void att_columns(int64_t m, int64_t k, const float *a, int64_t lda, const float *b,
                                                 float *c, int64_t ldc, int64_t n, int accumulate) {
  ATT_SWITCH(1, lda)
}

/// Packs src[rows, d] into panels [d / NR][rows][NR], the last one filled up with zeros.
GS_FN void att_pack(int64_t rows, int64_t d, const float *src, int64_t ld, float *panels) {
  for (int64_t j = 0; j < d; j += ATT_NR) {
    const int64_t n = gs_min64(ATT_NR, d - j);
    for (int64_t r = 0; r < rows; r++, panels += ATT_NR) {
      const float *from = src + r * ld + j;
      if (n == ATT_NR) {
        for (int v = 0; v < ATT_NV; v++) vf_store(panels + v * GS_VW, vf_load(from + v * GS_VW));
      } else {
        for (int64_t i = 0; i < ATT_NR; i++) panels[i] = i < n ? from[i] : 0;
      }
    }
  }
}

/// The rows of a query tile: row r is head r % group of query r / group, so rows close by see the same keys. Element
/// (r, 0) of an array [queries, query_heads·head_dim] whose first element for the tile is `base`.
GS_INLINE const float *att_row(const float *base, int64_t ld, int64_t group, int64_t d, int64_t r) {
  return base + r / group * ld + r % group * d;
}

/// Packs the tile's rows [rows, d] as att_pack does.
GS_FN void att_pack_tile(int64_t rows, int64_t group, int64_t d, const float *base, int64_t ld, float *panels) {
  const int64_t width = att_round_up(d, ATT_NR);
  for (int64_t r = 0; r < rows; r++) {
    const float *from = att_row(base, ld, group, d, r);
    for (int64_t j = 0; j < width; j += ATT_NR) {
      float *to = panels + j * rows + r * ATT_NR;
      if (j + ATT_NR <= d) {
        for (int v = 0; v < ATT_NV; v++) vf_store(to + v * GS_VW, vf_load(from + j + v * GS_VW));
      } else {
        for (int64_t i = 0; i < ATT_NR; i++) to[i] = j + i < d ? from[j + i] : 0;
      }
    }
  }
}

/// Packs scale · (the tile's rows)ᵀ into panels [rows / NR][d][NR], missing rows as zeros.
GS_FN void att_pack_transposed(int64_t rows, int64_t group, int64_t d, const float *base, int64_t ld, float scale,
                               float *panels) {
  for (int64_t r0 = 0; r0 < rows; r0 += ATT_NR, panels += d * ATT_NR) {
    const int64_t n = gs_min64(ATT_NR, rows - r0);
    const float *from[ATT_NR];
    for (int64_t i = 0; i < n; i++) from[i] = att_row(base, ld, group, d, r0 + i);
    if (n < ATT_NR) memset(panels, 0, (size_t)(d * ATT_NR) * sizeof(float));
    // Sixteen columns at a time: a cache line of every row.
    for (int64_t p0 = 0; p0 < d; p0 += 16)
      for (int64_t i = 0; i < n; i++)
        for (int64_t p = p0; p < gs_min64(d, p0 + 16); p++) panels[p * ATT_NR + i] = scale * from[i][p];
  }
}
