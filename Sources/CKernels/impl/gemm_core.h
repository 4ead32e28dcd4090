// The register tile of matrix products and the packing that feeds it.
//
// A tile of GS_MR × GS_NR outputs lives in registers while k runs. Its operands are packed k-major: for each k, the
// panel's rows of A (or columns of B) side by side, so the inner loop reads both in order. Every output is one chain of
// multiply-adds in rising k, whatever tile it falls in: cutting m and n differently cannot change a bit.
#ifndef GEMMASCOPE_IMPL_GEMM_CORE_H
#define GEMMASCOPE_IMPL_GEMM_CORE_H

#include "impl/math.h"

// Rows per tile and vectors per tile row: accumulators, one row of B and a broadcast fill the register file.
#if GS_VW == 16
#define GS_MR 14
#define GS_NV 2
#elif GS_VW == 8
#define GS_MR 6
#define GS_NV 2
#elif GS_VW == 4
#define GS_MR 12
#define GS_NV 2
#else
#define GS_MR 4
#define GS_NV 4
#endif
#define GS_NR (GS_NV * GS_VW)

// ---------------------------------------------------------------------------------------------------------------
// The tile

/// c[rows, cols] = a·b (+ c when accumulate) (+ bias); a is [k][rows], b is [k][GS_NR], cols <= GS_NR.
/// `rows` is a constant wherever this is inlined.
GS_INLINE void tile_rows(const int rows, int64_t k, const float *a, const float *b, float *c, int64_t ldc, int64_t cols,
                         const float *bias, int accumulate) {
  vf sum[GS_MR][GS_NV];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < GS_NV; j++) sum[i][j] = vf_set(0.0f);
#pragma clang loop unroll(disable)
  for (int64_t p = 0; p < k; p++) {
    vf right[GS_NV];
#pragma clang loop unroll(full)
    for (int j = 0; j < GS_NV; j++) right[j] = vf_load(b + j * GS_VW);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const vf left = vf_set(a[i]);
#pragma clang loop unroll(full)
      for (int j = 0; j < GS_NV; j++) sum[i][j] += left * right[j];
    }
    a += rows;
    b += GS_NR;
  }
  if (cols == GS_NR) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (int j = 0; j < GS_NV; j++) {
        float *out = c + i * ldc + j * GS_VW;
        vf value = sum[i][j];
        if (accumulate) value += vf_load(out);
        if (bias) value += vf_load(bias + j * GS_VW);
        vf_store(out, value);
      }
    return;
  }
  float spill[GS_MR * GS_NR];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < GS_NV; j++) vf_store(spill + i * GS_NR + j * GS_VW, sum[i][j]);
  for (int i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      // One lane of the full tile's arithmetic, in the same order.
      vf value = vf_set(spill[i * GS_NR + j]);
      if (accumulate) value += vf_set(c[i * ldc + j]);
      if (bias) value += vf_set(bias[j]);
      c[i * ldc + j] = value[0];
    }
}

typedef void (*tile_function)(int64_t k, const float *a, const float *b, float *c, int64_t ldc, int64_t cols,
                              const float *bias, int accumulate);

#define GS_TILE(ROWS)                                                                                      \
  GS_FN void tile_##ROWS(int64_t k, const float *a, const float *b, float *c, int64_t ldc, int64_t cols, \
                         const float *bias, int accumulate) {                                            \
    tile_rows(ROWS, k, a, b, c, ldc, cols, bias, accumulate);                                            \
  }
GS_TILE(1)
GS_TILE(2)
GS_TILE(3)
GS_TILE(4)
#if GS_MR > 4
GS_TILE(5)
GS_TILE(6)
#endif
#if GS_MR > 6
GS_TILE(7)
GS_TILE(8)
GS_TILE(9)
GS_TILE(10)
GS_TILE(11)
GS_TILE(12)
#endif
#if GS_MR > 12
GS_TILE(13)
GS_TILE(14)
#endif
#undef GS_TILE

/// The tile for each number of rows, 1 ... GS_MR.
static const tile_function tile_of_rows[GS_MR + 1] = {
    NULL,   tile_1, tile_2, tile_3, tile_4,
#if GS_MR > 4
    tile_5, tile_6,
#endif
#if GS_MR > 6
    tile_7, tile_8, tile_9, tile_10, tile_11, tile_12,
#endif
#if GS_MR > 12
    tile_13, tile_14,
#endif
};

// ---------------------------------------------------------------------------------------------------------------
// Packing

#if GS_VW > 1
/// One butterfly step of a transpose: swaps the off-diagonal blocks of `d` lanes of every pair of rows `d` apart.
#define GS_SWAP_BLOCKS(d, LOW, HIGH)                                  \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < GS_VW; i++) { \
    if (i & d) continue;                                              \
    const vf low = r[i], high = r[i + d];                             \
    r[i] = __builtin_shufflevector(low, high, LOW);                   \
    r[i + d] = __builtin_shufflevector(low, high, HIGH);              \
  }
#define GS_LIST(...) __VA_ARGS__
#endif

/// Transposes the square matrix whose rows are r[0 ..< GS_VW].
GS_INLINE void vf_transpose(vf *r) {
#if GS_VW == 16
  GS_SWAP_BLOCKS(8, GS_LIST(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
                 GS_LIST(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
  GS_SWAP_BLOCKS(4, GS_LIST(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
                 GS_LIST(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
  GS_SWAP_BLOCKS(2, GS_LIST(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                 GS_LIST(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
  GS_SWAP_BLOCKS(1, GS_LIST(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
                 GS_LIST(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#elif GS_VW == 8
  GS_SWAP_BLOCKS(4, GS_LIST(0, 1, 2, 3, 8, 9, 10, 11), GS_LIST(4, 5, 6, 7, 12, 13, 14, 15))
  GS_SWAP_BLOCKS(2, GS_LIST(0, 1, 8, 9, 4, 5, 12, 13), GS_LIST(2, 3, 10, 11, 6, 7, 14, 15))
  GS_SWAP_BLOCKS(1, GS_LIST(0, 8, 2, 10, 4, 12, 6, 14), GS_LIST(1, 9, 3, 11, 5, 13, 7, 15))
#elif GS_VW == 4
  GS_SWAP_BLOCKS(2, GS_LIST(0, 1, 4, 5), GS_LIST(2, 3, 6, 7))
  GS_SWAP_BLOCKS(1, GS_LIST(0, 4, 2, 6), GS_LIST(1, 5, 3, 7))
#else
  (void)r;
#endif
}

/// to[p·stride + r] = r < rows ? from[r·ld + p] : 0 for r < width, p < k, where width <= GS_VW. With `spills`, full
/// vectors are stored: what they write past a row must be written after them or belong to nobody.
GS_INLINE void pack_group(const float *from, int64_t ld, int64_t rows, int64_t k, int64_t width, int64_t stride,
                          int spills, float *to) {
  int64_t p = 0;
  for (; p + GS_VW <= k; p += GS_VW) {
    vf block[GS_VW];
    if (rows >= GS_VW) {
#pragma clang loop unroll(full)
      for (int i = 0; i < GS_VW; i++) block[i] = vf_load(from + i * ld + p);
    } else {
#pragma clang loop unroll(full)
      for (int i = 0; i < GS_VW; i++) block[i] = i < rows ? vf_load(from + i * ld + p) : vf_set(0.0f);
    }
    vf_transpose(block);
    float *out = to + p * stride;
    if (width == GS_VW || (spills && p + 2 * GS_VW <= k)) {
#pragma clang loop unroll(full)
      for (int i = 0; i < GS_VW; i++) vf_store(out + i * stride, block[i]);
    } else {
      float lanes[GS_VW * GS_VW];
#pragma clang loop unroll(full)
      for (int i = 0; i < GS_VW; i++) vf_store(lanes + i * GS_VW, block[i]);
      for (int i = 0; i < GS_VW; i++) memcpy(out + i * stride, lanes + i * GS_VW, (size_t)width * sizeof(float));
    }
  }
  for (; p < k; p++)
    for (int64_t r = 0; r < width; r++) to[p * stride + r] = r < rows ? from[r * ld + p] : 0.0f;
}

/// to[p][r] = from[r][p] for r < rows, p < k; columns rows ..< width of `to` become zero. `to` holds k·width floats.
GS_FN void pack_transposed(const float *from, int64_t ld, int64_t rows, int64_t k, int64_t width, float *to) {
  for (int64_t r = 0; r < width; r += GS_VW)
    pack_group(from + r * ld, ld, rows - r, k, gs_min64(GS_VW, width - r), width, width <= GS_VW, to + r);
}

/// to[p][r] = from[p][r] for r < rows, p < k; columns rows ..< width of `to` become zero. `to` holds k·width floats.
GS_FN void pack_straight(const float *from, int64_t ld, int64_t rows, int64_t k, int64_t width, float *to) {
  for (int64_t p = 0; p < k; p++, from += ld, to += width) {
    int64_t r = 0;
    for (; r + GS_VW <= rows; r += GS_VW) vf_store(to + r, vf_load(from + r));
    for (; r < rows; r++) to[r] = from[r];
    for (; r < width; r++) to[r] = 0.0f;
  }
}

/// Packs rows of A[m, k] into panels of GS_MR (the last may be lower): panel i starts at `to` + i · GS_MR · k.
GS_INLINE void pack_rows(const float *a, int64_t lda, int64_t m, int64_t k, float *to) {
  for (int64_t i = 0; i < m; i += GS_MR) {
    const int64_t height = gs_min64(GS_MR, m - i);
    pack_transposed(a + i * lda, lda, height, k, height, to + i * k);
  }
}

/// Packs columns of B, stored [n, k], into panels of GS_NR, zero-filled: panel j starts at `to` + j · GS_NR · k.
GS_INLINE void pack_columns(const float *b, int64_t ldb, int64_t n, int64_t k, float *to) {
  for (int64_t j = 0; j < n; j += GS_NR)
    pack_transposed(b + j * ldb, ldb, gs_min64(GS_NR, n - j), k, GS_NR, to + j * k);
}

#endif
