// How the values of a row are spread: its largest, its smallest, and a histogram between them. One task a row: a row of
// a vocabulary stays in the second-level cache between the passes.
#ifndef GEMMASCOPE_IMPL_SPREAD_H
#define GEMMASCOPE_IMPL_SPREAD_H

enum {
  SPREAD_CHUNK = 1024,  ///< values negated at once
  SPREAD_TABLES = 4,    ///< histograms filled side by side, so that equal neighbours do not wait for each other
};

typedef struct spread_call {
  int64_t n, ldx, k, bars;
  const float *x;
  int32_t *top_ids, *bottom_ids;
  float *top_values, *bottom_values;
  uint32_t *counts;
} spread_call;

/// The k largest and k smallest of a row.
GS_FN void spread_ends(const spread_call *call, int64_t row, const float *x) {
  const int64_t at = row * call->k;
  top_heap top = {.k = call->k, .ids = call->top_ids + at, .values = call->top_values + at};
  top_heap bottom = {.k = call->k, .ids = call->bottom_ids + at, .values = call->bottom_values + at};
  float negated[SPREAD_CHUNK];
  for (int64_t i = 0; i < call->n; i += SPREAD_CHUNK) {
    const int64_t n = gs_min64(SPREAD_CHUNK, call->n - i);
    for (int64_t j = 0; j < n; j++) negated[j] = -x[i + j];
    top_scan(&top, x + i, n, i);
    top_scan(&bottom, negated, n, i);
  }
  top_sort(&top);
  top_sort(&bottom);
  for (int64_t j = 0; j < call->k; j++) call->bottom_values[at + j] = -call->bottom_values[at + j];
}

/// Adds a row to `counts`: bars of equal width from `low` to `high`, the last one with its upper end; what is no number
/// goes into the first.
GS_FN void spread_count(int64_t n, const float *x, float low, float high, int64_t bars, uint32_t *counts) {
  uint32_t tables[SPREAD_TABLES][GS_SPREAD_BARS] = {{0}};
  const float scale = high > low ? (float)bars / (high - low) : 0;
  const vf last = vf_set((float)(bars - 1)), zero = vf_set(0);
  int64_t i = 0;
  for (; i + GS_VW <= n; i += GS_VW) {
    const vf place = (vf_load(x + i) - vf_set(low)) * vf_set(scale);
    const vf capped = vf_select(place < last, place, last);
    const vi bar = __builtin_convertvector(vf_select(place > zero, capped, zero), vi);
    for (int u = 0; u < GS_VW; u++) tables[u % SPREAD_TABLES][bar[u]]++;
  }
  for (; i < n; i++) {
    const float place = (x[i] - low) * scale;
    tables[0][place > 0 ? (int32_t)(place < (float)(bars - 1) ? place : (float)(bars - 1)) : 0]++;
  }
  for (int64_t b = 0; b < bars; b++) {
    counts[b] = 0;
    for (int t = 0; t < SPREAD_TABLES; t++) counts[b] += tables[t][b];
  }
}

static void spread_task(void *context, int64_t row, int worker) {
  (void)worker;
  const spread_call *call = context;
  const float *x = call->x + row * call->ldx;
  spread_ends(call, row, x);
  const int64_t at = row * call->k;
  spread_count(call->n, x, call->bottom_values[at], call->top_values[at], call->bars, call->counts + row * call->bars);
}

static void spread(gs_pool *pool, int64_t rows, int64_t n, const float *x, int64_t ldx, int64_t k, int64_t bars,
                   int32_t *top_ids, float *top_values, int32_t *bottom_ids, float *bottom_values, uint32_t *counts) {
  spread_call call = {n, ldx, k, bars, x, top_ids, bottom_ids, top_values, bottom_values, counts};
  gs_pool_run(pool, rows, spread_task, &call);
}

#endif
