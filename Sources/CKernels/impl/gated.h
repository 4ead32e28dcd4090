// The gated half of Gemma's feed-forward layer: gelu_tanh(a·gateᵀ) ∘ (a·upᵀ). One task makes the same columns of both
// products and applies the activation while they are in cache, so neither product travels to memory and back.
#ifndef GEMMASCOPE_IMPL_GATED_H
#define GEMMASCOPE_IMPL_GATED_H

typedef struct gated_context {
  const gs_gated *gated;
  gemm_grid grid;
  int64_t first, m;  ///< the rows packed
  const float *packed;
  int64_t each;       ///< outputs per task, for few rows
  dot_inputs inputs;  ///< few rows
  float *scratch;
  int64_t scratch_each;
} gated_context;

/// Writes gelu(gate) · up for a block of outputs whose corner is (i, j), and the two products where they are asked for.
GS_FN void gated_block(const gs_gated *g, int64_t i, int64_t j, int64_t rows, int64_t n, const float *gate,
                       const float *up, int64_t stride) {
  for (int64_t r = 0; r < rows; r++, gate += stride, up += stride) {
    float *out = g->out + (i + r) * g->ldo + j;
    int64_t q = 0;
    for (; q + GS_VW <= n; q += GS_VW) vf_store(out + q, vf_gelu(vf_load(gate + q)) * vf_load(up + q));
    for (; q < n; q++) out[q] = vf_gelu(vf_set(gate[q]))[0] * up[q];
    if (g->gate_out) memcpy(g->gate_out + (i + r) * g->n + j, gate, (size_t)n * sizeof(float));
    if (g->up_out) memcpy(g->up_out + (i + r) * g->n + j, up, (size_t)n * sizeof(float));
  }
}

GS_FN void gated_few_task(void *context, int64_t task, int worker) {
  const gated_context *job = context;
  const gs_gated *g = job->gated;
  const int64_t first = task * job->each, n = gs_min64(job->each, g->n - first);
  float *gate = job->scratch + worker * job->scratch_each, *up = gate + g->m * n;
  dots(&g->gate, first, n, &job->inputs, gate, n);
  dots(&g->up, first, n, &job->inputs, up, n);
  gated_block(g, 0, first, g->m, n, gate, up, n);
}

GS_FN int gated_few(gs_pool *pool, const gs_gated *g) {
  const int64_t each = rows_per_task(&g->gate, g->n), scratch = round16(2 * g->m * each);
  const int64_t inputs = g->m * dot_inputs_each(g->k);
  float *memory = gs_pool_borrow(pool, inputs + scratch * gs_pool_threads(pool));
  if (memory == NULL) return GS_OUT_OF_MEMORY;
  gated_context job = {.gated = g,
                       .each = each,
                       .inputs = dot_inputs_make(g->a, g->lda, g->m, g->k, memory),
                       .scratch = memory + inputs,
                       .scratch_each = scratch};
  gs_pool_run(pool, gs_ceil_div(g->n, each), gated_few_task, &job);
  gs_pool_return(pool, memory);
  return GS_OK;
}

GS_FN void gated_task(void *context, int64_t task, int worker) {
  const gated_context *job = context;
  const gs_gated *g = job->gated;
  const int64_t strip = job->grid.strip, round = round_rows(g->k), scratch_each = round16(strip_scratch(strip, g->k));
  const int64_t j = task % job->grid.strips * strip, n = gs_min64(strip, g->n - j);
  const int64_t start = task / job->grid.strips * job->grid.block, end = gs_min64(start + job->grid.block, job->m);
  float *gate = job->scratch + worker * job->scratch_each, *up = gate + round * strip;
  float *gate_strip = up + round * strip, *up_strip = gate_strip + scratch_each;
  for (int64_t i = start; i < end; i += round) {
    const int64_t rows = gs_min64(round, end - i);
    strip_product(job->packed, job->m, g->k, i, rows, &g->gate, GS_ROWS_ARE_OUTPUTS, j, n, gate, strip, NULL, 0,
                  i > start, gate_strip);
    strip_product(job->packed, job->m, g->k, i, rows, &g->up, GS_ROWS_ARE_OUTPUTS, j, n, up, strip, NULL, 0, i > start,
                  up_strip);
    gated_block(g, job->first + i, j, rows, n, gate, up, strip);
  }
}

GS_FN int gated(gs_pool *pool, const gs_gated *g) {
  if (g->m <= 0 || g->n <= 0) return GS_OK;
  if (g->k <= 0) {
    for (int64_t i = 0; i < g->m; i++) memset(g->out + i * g->ldo, 0, (size_t)g->n * sizeof(float));
    if (g->gate_out) memset(g->gate_out, 0, (size_t)(g->m * g->n) * sizeof(float));
    if (g->up_out) memset(g->up_out, 0, (size_t)(g->m * g->n) * sizeof(float));
    return GS_OK;
  }
  if (g->m <= GS_FEW_ROWS) return gated_few(pool, g);
  const int64_t most = packed_rows(g->m, g->k), packed_size = round16(most * g->k);
  // Two strips share the cache.
  const int64_t widest = widest_strip(2 * g->k);
  const int64_t each = 2 * (round_rows(g->k) * widest + round16(strip_scratch(widest, g->k)));
  float *memory = gs_pool_borrow(pool, packed_size + each * gs_pool_threads(pool));
  if (memory == NULL) return GS_OUT_OF_MEMORY;
  for (int64_t first = 0; first < g->m; first += most) {
    const int64_t m = gs_min64(most, g->m - first);
    pack_all_rows(pool, g->a + first * g->lda, g->lda, m, g->k, memory);
    gated_context job = {.gated = g,
                         .grid = grid_of(m, g->n, widest, highest_block(g->k)),
                         .first = first,
                         .m = m,
                         .packed = memory,
                         .scratch = memory + packed_size,
                         .scratch_each = each};
    gs_pool_run(pool, job.grid.strips * job.grid.blocks, gated_task, &job);
  }
  gs_pool_return(pool, memory);
  return GS_OK;
}

#endif
