// Reductions over a vocabulary: log Σ exp and the k largest. Rows are cut into chunks of columns, so that one row (a
// decode step) is shared by all threads as well; what the chunks found is put together in order.
#include "impl/pool.h"

enum {
  LOGITS_CHUNK = 8192,    ///< columns: a chunk stays in the first cache between its two passes
  LOGITS_CHUNKS = 256,    ///< most per row; longer rows get longer chunks
  LOGITS_PARTIALS = 1024, ///< chunks under way at once: their results lie on the stack
};

GS_INLINE int64_t logits_chunk(int64_t n) { return gs_max64(LOGITS_CHUNK, gs_ceil_div(n, LOGITS_CHUNKS)); }

// ---------------------------------------------------------------------------------------------------------------
// log Σ exp

typedef struct lse_call {
  int64_t n, ldx, chunk, chunks;
  const float *x;
  float *peak, *sum;  ///< [rows][chunks]
} lse_call;

/// Σ exp(x - peak) of a chunk that holds an infinity, or nothing but minus infinity and NaN.
GS_INLINE float lse_unbounded(int64_t n, const float *x, float peak) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] != x[i]) return x[i];
    if (peak > 0 && x[i] == peak) sum += 1;
  }
  return sum;
}

static void lse_task(void *context, int64_t task, int worker) {
  (void)worker;
  const lse_call *call = context;
  const int64_t start = task % call->chunks * call->chunk, n = gs_min64(call->chunk, call->n - start);
  const float *x = call->x + task / call->chunks * call->ldx + start;
  vf high[2] = {vf_set(-INFINITY), vf_set(-INFINITY)};
  int64_t i = 0;
  for (; i + 2 * GS_VW <= n; i += 2 * GS_VW)
    for (int u = 0; u < 2; u++) high[u] = vf_max(vf_load(x + i + u * GS_VW), high[u]);
  float peak = vf_max_lane(vf_max(high[0], high[1]));
  for (; i < n; i++) peak = x[i] > peak ? x[i] : peak;
  call->peak[task] = peak;
  if (isinf(peak)) {
    call->sum[task] = lse_unbounded(n, x, peak);
    return;
  }
  vf sum[2] = {vf_set(0), vf_set(0)};
  for (i = 0; i + 2 * GS_VW <= n; i += 2 * GS_VW)
    for (int u = 0; u < 2; u++) sum[u] += vf_exp(vf_load(x + i + u * GS_VW) - vf_set(peak));
  float total = vf_sum(sum[0] + sum[1]);
  for (; i < n; i++) total += att_exp(x[i] - peak);
  call->sum[task] = total;
}

static void log_sum_exp(gs_pool *pool, int64_t rows, int64_t n, const float *x, int64_t ldx, float *out) {
  float peak[LOGITS_PARTIALS], sum[LOGITS_PARTIALS];
  lse_call call = {.n = n, .ldx = ldx, .chunk = logits_chunk(n), .peak = peak, .sum = sum};
  call.chunks = gs_max64(1, gs_ceil_div(n, call.chunk));
  const int64_t batch = LOGITS_PARTIALS / call.chunks;
  for (int64_t r0 = 0; r0 < rows; r0 += batch) {
    const int64_t count = gs_min64(batch, rows - r0);
    call.x = x + r0 * ldx;
    gs_pool_run(pool, count * call.chunks, lse_task, &call);
    for (int64_t r = 0; r < count; r++) {
      const float *peaks = peak + r * call.chunks, *sums = sum + r * call.chunks;
      float highest = -INFINITY;
      for (int64_t c = 0; c < call.chunks; c++) highest = peaks[c] > highest ? peaks[c] : highest;
      double total = 0;
      for (int64_t c = 0; c < call.chunks; c++) {
        // Equal infinities have no difference, and an empty chunk adds nothing; a NaN stays one.
        const double factor = peaks[c] == highest ? 1 : exp((double)peaks[c] - (double)highest);
        total += (double)sums[c] * factor;
      }
      out[r0 + r] = isinf(highest) ? highest + (float)(total != total ? NAN : 0) : (float)(highest + log(total));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The k largest

/// Whether entry (a, i) comes before (b, j): larger values first, NaN last, equals by index. No two entries are equal,
/// so the k first are the same whatever order they are found in.
GS_INLINE int top_before(float a, int32_t i, float b, int32_t j) {
  if (a > b) return 1;
  if (a < b) return 0;
  const int a_nan = a != a, b_nan = b != b;
  if (a_nan != b_nan) return b_nan;
  return i < j;
}

/// The entries kept so far, a heap whose root comes last of them.
typedef struct top_heap {
  int64_t count, k;
  int32_t *ids;
  float *values;
} top_heap;

GS_INLINE void top_sink(top_heap *h, int64_t at, float value, int32_t id) {
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child >= h->count) break;
    if (child + 1 < h->count && top_before(h->values[child], h->ids[child], h->values[child + 1], h->ids[child + 1]))
      child++;
    if (!top_before(value, id, h->values[child], h->ids[child])) break;
    h->values[at] = h->values[child];
    h->ids[at] = h->ids[child];
    at = child;
  }
  h->values[at] = value;
  h->ids[at] = id;
}

GS_INLINE void top_offer(top_heap *h, float value, int32_t id) {
  if (h->count < h->k) {
    int64_t at = h->count++;
    while (at > 0) {
      const int64_t parent = (at - 1) / 2;
      if (top_before(value, id, h->values[parent], h->ids[parent])) break;
      h->values[at] = h->values[parent];
      h->ids[at] = h->ids[parent];
      at = parent;
    }
    h->values[at] = value;
    h->ids[at] = id;
  } else if (top_before(value, id, h->values[0], h->ids[0])) {
    top_sink(h, 0, value, id);
  }
}

/// Offers x[0 ..< n], whose indices start at `first`. Almost every block of a long row is below the root: one
/// comparison per vector passes it by.
GS_FN void top_scan(top_heap *h, const float *x, int64_t n, int64_t first) {
  enum { BLOCK = 4 * GS_VW };
  int64_t i = 0;
  for (; i < n && h->count < h->k; i++) top_offer(h, x[i], (int32_t)(first + i));
  for (; i + BLOCK <= n; i += BLOCK) {
    const vf root = vf_set(h->values[0]);
    vi above = {0};
    // Not "at most the root": also true while the root is NaN.
    for (int u = 0; u < 4; u++) above |= ~(vi)(vf_load(x + i + u * GS_VW) <= root);
    if (__builtin_reduce_or(above) == 0) continue;
    for (int64_t v = i; v < i + BLOCK; v += GS_VW) {
      if (__builtin_reduce_or(~(vi)(vf_load(x + v) <= vf_set(h->values[0]))) == 0) continue;
      for (int64_t j = v; j < v + GS_VW; j++) top_offer(h, x[j], (int32_t)(first + j));
    }
  }
  for (; i < n; i++) top_offer(h, x[i], (int32_t)(first + i));
}

/// Turns the heap into falling order.
GS_FN void top_sort(top_heap *h) {
  while (h->count > 1) {
    const int64_t last = --h->count;
    const float value = h->values[last];
    const int32_t id = h->ids[last];
    h->values[last] = h->values[0];
    h->ids[last] = h->ids[0];
    top_sink(h, 0, value, id);
  }
}

enum {
  TOP_CHUNKED_ROWS = 16,  ///< fewer rows than this are cut into chunks
  TOP_CHUNKS = 8,         ///< most per row: each starts without a bound, and pays for finding one
  TOP_SCRATCH = 1 << 18,  ///< entries
};

typedef struct top_call {
  int64_t n, ldx, k, chunk, chunks;
  const float *x;
  int32_t *ids;
  float *values;  ///< of whole rows, or of chunks when they are searched on their own
} top_call;

static void top_row_task(void *context, int64_t row, int worker) {
  (void)worker;
  const top_call *call = context;
  top_heap heap = {.k = call->k, .ids = call->ids + row * call->k, .values = call->values + row * call->k};
  top_scan(&heap, call->x + row * call->ldx, call->n, 0);
  top_sort(&heap);
}

static void top_chunk_task(void *context, int64_t task, int worker) {
  (void)worker;
  const top_call *call = context;
  const int64_t start = task % call->chunks * call->chunk;
  top_heap heap = {.k = call->k, .ids = call->ids + task * call->k, .values = call->values + task * call->k};
  top_scan(&heap, call->x + task / call->chunks * call->ldx + start, gs_min64(call->chunk, call->n - start), start);
}

static void top_k(gs_pool *pool, int64_t rows, int64_t n, const float *x, int64_t ldx, int64_t k, int32_t *ids,
                  float *values) {
  if (k <= 0) return;
  top_call call = {.n = n, .ldx = ldx, .k = k, .x = x, .ids = ids, .values = values};
  call.chunk = gs_max64(gs_max64(LOGITS_CHUNK, gs_ceil_div(n, TOP_CHUNKS)), 16 * k);
  call.chunks = gs_ceil_div(n, call.chunk);
  const int64_t floats = rows * call.chunks * k;
  // Chunks pay when there are few rows; without memory for them the rows' own outputs serve as the heaps.
  float *found = rows < TOP_CHUNKED_ROWS && call.chunks > 1 && floats <= TOP_SCRATCH ? gs_pool_borrow(pool, 2 * floats)
                                                                                     : NULL;
  if (!found) {
    gs_pool_run(pool, rows, top_row_task, &call);
    return;
  }
  call.values = found;
  call.ids = (int32_t *)(found + floats);
  gs_pool_run(pool, rows * call.chunks, top_chunk_task, &call);
  for (int64_t r = 0; r < rows; r++) {
    top_heap heap = {.k = k, .ids = ids + r * k, .values = values + r * k};
    for (int64_t c = 0; c < call.chunks; c++) {
      const int64_t kept = gs_min64(k, gs_min64(call.chunk, n - c * call.chunk)), at = (r * call.chunks + c) * k;
      for (int64_t i = 0; i < kept; i++) top_offer(&heap, call.values[at + i], call.ids[at + i]);
    }
    top_sort(&heap);
  }
  gs_pool_return(pool, found);
}
