// c = a·B over all threads. The rows of `a` are packed once; then each task takes a strip of columns and a block of
// rows, widens its strip of B into its own scratch one stretch of k at a time, and runs the register tiles over it. The
// weights are thus read from memory in their stored format and never exist as a whole in fp32.
#ifndef GEMMASCOPE_IMPL_GEMM_H
#define GEMMASCOPE_IMPL_GEMM_H

#include "impl/pool.h"

/// The longest stretch of k packed at once: outputs travel to memory and back once a stretch.
#define GS_DEPTH 2048
/// Columns widened at once while packing rows that are outputs.
#define GS_CHUNK 256
/// Floats of packed rows of `a` held at once (32 MiB).
#define GS_PACKED_ROWS (8 << 20)

/// Stretches of k: as even as multiples of 32 allow.
GS_INLINE int64_t depth_of(int64_t k) {
  return gs_max64(32, gs_ceil_div(gs_ceil_div(k, gs_ceil_div(gs_max64(k, 1), GS_DEPTH)), 32) * 32);
}

// ---------------------------------------------------------------------------------------------------------------
// A strip

/// Floats of scratch pack_strip and strip_product need for strips of `columns` columns (a multiple of 32).
GS_INLINE int64_t strip_scratch(int64_t columns, int64_t k) {
  return columns * depth_of(k) + gs_max64(GS_VW * (GS_CHUNK + 16), columns);
}

/// Packs columns j ..< j + n (j a multiple of 32) and inputs p ..< p + k of a stored matrix into panels of GS_NR:
/// panel i starts at to + i · GS_NR · k. `spare` holds what strip_scratch adds to the panels.
GS_FN void pack_strip(const gs_matrix *b, gs_layout layout, int64_t j, int64_t n, int64_t p, int64_t k, float *spare,
                      float *to) {
  const int direct = b->dtype == GS_F32 && b->row_bytes % 4 == 0;
  const float *floats = (const float *)b->data;
  const int64_t ld = b->row_bytes / 4;
  if (layout == GS_ROWS_ARE_OUTPUTS) {
    if (direct) {
      pack_columns(floats + j * ld + p, ld, n, k, to);
      return;
    }
    const int64_t padded = gs_ceil_div(n, GS_NR) * GS_NR, row = GS_CHUNK + 16;
    for (int64_t i = 0; i < padded; i += GS_VW) {
      const int64_t rows = gs_max64(0, gs_min64(GS_VW, n - i));
      float *panel = to + i / GS_NR * GS_NR * k + i % GS_NR;
      for (int64_t q = 0; q < k; q += GS_CHUNK) {
        const int64_t count = gs_min64(GS_CHUNK, k - q);
        for (int64_t r = 0; r < rows; r++) widen(b, j + i + r, p + q, count, spare + r * row);
        pack_group(spare, row, rows, count, GS_VW, GS_NR, 0, panel + q * GS_NR);
      }
    }
    return;
  }
  // Row by row over all panels: each row may lie on a page of its own.
  const int64_t full = n / GS_NR * GS_NR;
  for (int64_t q = 0; q < k; q++) {
    const float *row = direct ? floats + (p + q) * ld + j : spare;
    if (!direct) widen(b, p + q, j, n, spare);
    for (int64_t i = 0; i < full; i += GS_NR) {
      float *out = to + i * k + q * GS_NR;
#pragma clang loop unroll(full)
      for (int v = 0; v < GS_NV; v++) vf_store(out + v * GS_VW, vf_load(row + i + v * GS_VW));
    }
    if (full < n) pack_straight(row + full, 0, n - full, 1, GS_NR, to + full * k + q * GS_NR);
  }
}

/// c[rows, n] (+)= packed rows first ..< first + rows · columns j ..< j + n of B (+ bias). `first` is a multiple of
/// GS_MR; `packed` holds all `m` rows over all of k. `c` is the block's corner. With `kept` the scratch still holds the
/// same strip from the call before, where one stretch of k is all of it.
GS_FN void strip_product(const float *packed, int64_t m, int64_t k, int64_t first, int64_t rows, const gs_matrix *b,
                         gs_layout layout, int64_t j, int64_t n, float *c, int64_t ldc, const float *bias,
                         int accumulate, int kept, float *scratch) {
  const int64_t depth = depth_of(k);
  float *panels = scratch, *spare = scratch + gs_ceil_div(n, 32) * 32 * depth;
  for (int64_t p = 0; p < k; p += depth) {
    const int64_t kc = gs_min64(depth, k - p);
    if (!kept || kc < k) pack_strip(b, layout, j, n, p, kc, spare, panels);
    for (int64_t i = first; i < first + rows; i += GS_MR) {
      const int64_t height = gs_min64(GS_MR, m - i);
      const float *left = packed + i * k + p * height;
      for (int64_t q = 0; q < n; q += GS_NR)
        tile_of_rows[height](kc, left, panels + q * kc, c + (i - first) * ldc + q, ldc, gs_min64(GS_NR, n - q),
                             bias ? bias + q : NULL, accumulate);
    }
    bias = NULL;
    accumulate = 1;
  }
}

/// Rows a task finishes at a time where what it does next to them wants them in cache: few when the packed strip can be
/// kept, more when every round packs it again.
GS_INLINE int64_t round_rows(int64_t k) { return (depth_of(k) >= k ? 8 : 18) * GS_MR; }

// ---------------------------------------------------------------------------------------------------------------
// The grid

/// How outputs are cut into tasks: by shape alone.
typedef struct gemm_grid {
  int64_t strip, strips;  ///< columns per strip (a multiple of 32), strips
  int64_t block, blocks;  ///< rows per block (a multiple of GS_MR), blocks
} gemm_grid;

/// Strips and blocks of at most `widest` columns and `highest` rows: wide and high, since packing a strip is shared by
/// a block's rows, yet some dozens of tasks where the shape has them.
GS_INLINE gemm_grid grid_of(int64_t m, int64_t n, int64_t widest, int64_t highest) {
  gemm_grid grid;
  grid.strip = gs_min64(widest, gs_max64(32, n / 32 / 32 * 32));
  grid.strips = gs_ceil_div(n, grid.strip);
  int64_t blocks = gs_max64(gs_ceil_div(m, highest), gs_min64(gs_ceil_div(32, grid.strips), gs_ceil_div(m, 128)));
  grid.block = gs_ceil_div(gs_ceil_div(m, blocks), GS_MR) * GS_MR;
  grid.blocks = gs_ceil_div(m, grid.block);
  return grid;
}

/// The widest strip whose packed stretch of k stays in the second-level cache.
GS_INLINE int64_t widest_strip(int64_t k) { return gs_max64(32, gs_min64(128, (1 << 17) / depth_of(k) / 32 * 32)); }
/// The highest block, so that its packed rows stay near while strip after strip passes over them.
GS_INLINE int64_t highest_block(int64_t k) { return gs_max64(256, gs_min64(1024, (1 << 20) / gs_max64(k, 1))); }

/// Rows of `a` to pack at once.
GS_INLINE int64_t packed_rows(int64_t m, int64_t k) {
  return gs_min64(m, gs_max64(512 / GS_MR, GS_PACKED_ROWS / gs_max64(k, 1) / GS_MR) * GS_MR);
}
GS_INLINE int64_t round16(int64_t floats) { return (floats + 15) / 16 * 16; }

typedef struct pack_context {
  const float *a;
  int64_t lda, m, k;
  float *to;
} pack_context;

GS_FN void pack_task(void *context, int64_t task, int worker) {
  (void)worker;
  const pack_context *job = context;
  const int64_t first = task * 4 * GS_MR, rows = gs_min64(4 * GS_MR, job->m - first);
  pack_rows(job->a + first * job->lda, job->lda, rows, job->k, job->to + first * job->k);
}

/// Packs rows of `a` for strip_product.
GS_FN void pack_all_rows(gs_pool *pool, const float *a, int64_t lda, int64_t m, int64_t k, float *to) {
  pack_context job = {a, lda, m, k, to};
  gs_pool_run(pool, gs_ceil_div(m, 4 * GS_MR), pack_task, &job);
}

typedef struct gemm_context {
  const gs_gemm *gemm;
  gemm_grid grid;
  int64_t first, m;  ///< the rows packed
  const float *packed;
  float *scratch;
  int64_t scratch_each;
} gemm_context;

GS_FN void gemm_task(void *context, int64_t task, int worker) {
  const gemm_context *job = context;
  const gs_gemm *g = job->gemm;
  const int64_t i = task / job->grid.strips * job->grid.block, j = task % job->grid.strips * job->grid.strip;
  strip_product(job->packed, job->m, g->k, i, gs_min64(job->grid.block, job->m - i), &g->b, g->layout, j,
                gs_min64(job->grid.strip, g->n - j), g->c + (job->first + i) * g->ldc + j, g->ldc,
                g->bias ? g->bias + j : NULL, g->accumulate, 0, job->scratch + worker * job->scratch_each);
}

/// The product of no inputs.
GS_FN void gemm_of_nothing(const gs_gemm *g) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++)
      g->c[i * g->ldc + j] = (g->accumulate ? g->c[i * g->ldc + j] : 0.0f) + (g->bias ? g->bias[j] : 0.0f);
}

GS_FN int gemm(gs_pool *pool, const gs_gemm *g) {
  if (g->m <= 0 || g->n <= 0) return GS_OK;
  if (g->k <= 0) {
    gemm_of_nothing(g);
    return GS_OK;
  }
  if (g->m <= GS_FEW_ROWS) return matvec(pool, g);
  const int64_t most = packed_rows(g->m, g->k);
  const int64_t widest = widest_strip(g->k);
  const int64_t packed_size = round16(most * g->k), each = round16(strip_scratch(widest, g->k));
  float *memory = gs_pool_borrow(pool, packed_size + each * gs_pool_threads(pool));
  if (memory == NULL) return GS_OUT_OF_MEMORY;
  for (int64_t first = 0; first < g->m; first += most) {
    const int64_t m = gs_min64(most, g->m - first);
    pack_all_rows(pool, g->a + first * g->lda, g->lda, m, g->k, memory);
    gemm_context job = {g, grid_of(m, g->n, widest, highest_block(g->k)), first, m, memory, memory + packed_size, each};
    gs_pool_run(pool, job.grid.strips * job.grid.blocks, gemm_task, &job);
  }
  gs_pool_return(pool, memory);
  return GS_OK;
}

#endif
