// Causal attention of whole sequences. A task is one tile: some queries of one key and value head, all query heads of
// the group stacked, so that every key and value fetched serves them all. Keys come in blocks with a running softmax
// (Milakov & Gimelshein 2018): scratch does not grow with the context. When there are few tiles and many keys (a decode
// step, a short chunk over a long cache) the keys are cut into pieces as well, and the pieces are merged in order.
// clang-format off
#include "attention_tile.h"
#include "attention_range.h"
#include "attention_scores.h"
#include "attention_single.h"
// clang-format on

enum {
  ATT_KEY_BLOCK = 96,      ///< a multiple of every ATT_MR; a panel of values and a strip of weights fit the first cache
  ATT_WANTED_TASKS = 64,   ///< below this many tiles, keys are cut into pieces too
  ATT_PIECE_KEYS = 256,    ///< the least worth a piece of its own
  ATT_MOST_PIECES = 1024,  ///< bounds what pieces hold between them
};

/// One sequence's part of a call.
typedef struct att_plan {
  const gs_attention *s;
  int64_t tiles, pieces;
  int64_t first_task, first_unit;  ///< tasks are (unit, piece), units are (head, tile)
  int64_t rows;                    ///< of a full tile
  float *partial;                  ///< [units][pieces] of att_partial_floats, when pieces > 1
} att_plan;

typedef struct att_call {
  att_plan *plans;
  int64_t count;
  float *scratch;
  int64_t scratch_floats;  ///< per worker
} att_call;

/// An unfinished output: o[rows, padded head_dim], then each row's peak and sum.
GS_INLINE int64_t att_partial_floats(int64_t rows, int64_t d) {
  return rows * att_round_up(d, ATT_NR) + 2 * att_round_up(rows, ATT_NR);
}

GS_INLINE int64_t att_forward_scratch(int64_t rows, int64_t d, int64_t piece_keys) {
  const int64_t padded = att_round_up(rows, ATT_NR), width = att_round_up(d, ATT_NR);
  const int64_t single = att_round_up(rows * d, 16) + rows * att_round_up(piece_keys, GS_VW);
  const int64_t tile = padded * d + padded + ATT_KEY_BLOCK * (att_score_ld(rows) + width);
  return att_round_up(att_partial_floats(rows, d) + gs_max64(single, tile), 16);
}

/// Unnormalised output over keys k0 ..< k1.
GS_FN void att_forward_tile(const att_tile *t, int64_t k0, int64_t k1, float *scratch, float *o, float *peak,
                            float *sum) {
  const gs_attention *s = t->s;
  const int64_t d = s->head_dim, width = att_round_up(d, ATT_NR), padded = att_round_up(t->rows, ATT_NR);
  float *panels = scratch, *shrink = panels + padded * d, *scores = shrink + padded;
  float *values = scores + ATT_KEY_BLOCK * t->ld;
  att_pack_transposed(t->rows, t->group, d, s->q + att_tile_offset(t, s->ldq), s->ldq, s->scale, panels);
  att_start(t->rows, peak, sum);
  memset(o, 0, (size_t)(t->rows * width) * sizeof(float));
  for (int64_t b0 = k0; b0 < k1; b0 += ATT_KEY_BLOCK) {
    const int64_t b1 = gs_min64(k1, b0 + ATT_KEY_BLOCK), keys = b1 - b0;
    att_products(t, s->k + t->head * d, s->ldk, panels, b0, b1, scores);
    att_soften(t, b0, b1, scores, peak, sum, shrink);
    if (b0 > k0)
      for (int64_t r = 0; r < t->rows; r++)
        for (int64_t i = 0; i < width; i += GS_VW)
          vf_store(o + r * width + i, vf_load(o + r * width + i) * vf_set(shrink[r]));
    att_pack(keys, d, s->v + b0 * s->ldv + t->head * d, s->ldv, values);
    att_gather(t, b0, b1, scores, values, o);
  }
}

/// out = o / sum for every row of the tile.
GS_FN void att_finish(const att_tile *t, const float *o, const float *sum) {
  const gs_attention *s = t->s;
  const int64_t d = s->head_dim, width = att_round_up(d, ATT_NR);
  float *base = s->out + att_tile_offset(t, s->ldo);
  for (int64_t r = 0; r < t->rows; r++) {
    float *out = base + r / t->group * s->ldo + r % t->group * d;
    // A NaN among the scores must reach the output: only a sum of exactly zero means that no key is visible.
    const float factor = sum[r] == 0 ? 0 : 1 / sum[r];
    int64_t i = 0;
    for (; i + GS_VW <= d; i += GS_VW) vf_store(out + i, vf_load(o + r * width + i) * vf_set(factor));
    for (; i < d; i++) out[i] = o[r * width + i] * factor;
  }
}

/// Keys of a piece: the tile's range cut into equal parts.
GS_INLINE att_range att_piece(const att_tile *t, int64_t piece, int64_t pieces) {
  const int64_t n = t->keys.to - t->keys.from;
  return (att_range){t->keys.from + n * piece / pieces, t->keys.from + n * (piece + 1) / pieces};
}

GS_INLINE const att_plan *att_find(const att_call *call, int64_t number, int by_unit) {
  int64_t low = 0, high = call->count;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    const att_plan *p = &call->plans[middle];
    if ((by_unit ? p->first_unit : p->first_task) <= number)
      low = middle;
    else
      high = middle;
  }
  return &call->plans[low];
}

/// The latest tiles see the most keys and come first, so that no long task is left over at the end.
GS_INLINE att_tile att_unit_tile(const att_plan *p, int64_t unit) {
  return att_make_tile(p->s, unit % p->s->kv_heads, p->tiles - 1 - unit / p->s->kv_heads);
}

static void att_forward_task(void *context, int64_t task, int worker) {
  const att_call *call = context;
  const att_plan *p = att_find(call, task, 0);
  const int64_t local = task - p->first_task, unit = local / p->pieces, piece = local % p->pieces;
  const att_tile t = att_unit_tile(p, unit);
  const att_range keys = att_piece(&t, piece, p->pieces);
  const int64_t d = p->s->head_dim, width = att_round_up(d, ATT_NR), floats = att_partial_floats(p->rows, d);
  float *scratch = call->scratch + worker * call->scratch_floats;
  float *o = p->pieces > 1 ? p->partial + local * floats : scratch;
  float *peak = o + p->rows * width, *sum = peak + att_round_up(p->rows, ATT_NR);
  scratch += floats;
  if (p->s->queries == 1) {
    const float *q = p->s->q + att_tile_offset(&t, p->s->ldq);
    for (int64_t i = 0; i < t.group * d; i++) scratch[i] = q[i] * p->s->scale;
    att_single(&t, scratch, keys.from, keys.to, scratch + att_round_up(t.group * d, 16), o, width, peak, sum);
  } else {
    att_forward_tile(&t, keys.from, keys.to, scratch, o, peak, sum);
  }
  if (p->pieces == 1) att_finish(&t, o, sum);
}

/// Adds up a unit's pieces in order, in the place of the first.
static void att_merge_task(void *context, int64_t number, int worker) {
  (void)worker;
  const att_call *call = context;
  const att_plan *p = att_find(call, number, 1);
  if (p->pieces == 1) return;
  const int64_t unit = number - p->first_unit;
  const att_tile t = att_unit_tile(p, unit);
  const int64_t width = att_round_up(p->s->head_dim, ATT_NR), floats = att_partial_floats(p->rows, p->s->head_dim);
  const int64_t peaks = p->rows * width, sums = peaks + att_round_up(p->rows, ATT_NR);
  float *first = p->partial + unit * p->pieces * floats;
  for (int64_t r = 0; r < t.rows; r++) {
    float highest = first[peaks + r], total = 0;
    for (int64_t c = 1; c < p->pieces; c++) {
      const float peak = first[c * floats + peaks + r];
      if (peak > highest) highest = peak;
    }
    for (int64_t c = 0; c < p->pieces; c++) {
      const float *from = first + c * floats;
      const float factor = att_exp(from[peaks + r] - highest);
      total += factor * from[sums + r];
      for (int64_t i = r * width; i < (r + 1) * width; i += GS_VW) {
        const vf part = vf_load(from + i) * vf_set(factor);
        vf_store(first + i, c == 0 ? part : vf_load(first + i) + part);
      }
    }
    first[sums + r] = total;
  }
  att_finish(&t, first, first + sums);
}

static int attention(gs_pool *pool, const gs_attention *sequences, int64_t count) {
  if (count <= 0) return GS_OK;
  att_plan one;
  att_plan *plans = count == 1 ? &one : malloc((size_t)count * sizeof *plans);
  if (!plans) return GS_OUT_OF_MEMORY;
  int64_t units = 0;
  for (int64_t i = 0; i < count; i++) {
    const gs_attention *s = &sequences[i];
    const int64_t group = s->query_heads / s->kv_heads, step = att_tile_queries(group);
    plans[i] = (att_plan){.s = s, .tiles = gs_ceil_div(s->queries, step), .first_unit = units};
    plans[i].rows = gs_min64(step, s->queries) * group;
    units += plans[i].tiles * s->kv_heads;
  }
  int64_t tasks = 0, partial = 0, scratch = 0, most_pieces = 1;
  for (int64_t i = 0; i < count; i++) {
    att_plan *p = &plans[i];
    const gs_attention *s = p->s;
    const int64_t step = att_tile_queries(s->query_heads / s->kv_heads);
    int64_t seen = s->keys;
    if (s->window > 0) seen = gs_min64(seen, s->window + gs_min64(step, s->queries) - 1);
    // One query's pieces hold little: as many as there are blocks of keys. Tiles only make up for missing tasks.
    const int64_t wanted = s->queries == 1 ? ATT_MOST_PIECES : ATT_WANTED_TASKS / gs_max64(1, units);
    p->pieces = gs_max64(1, gs_min64(gs_ceil_div(seen, ATT_PIECE_KEYS), wanted));
    p->first_task = tasks;
    tasks += p->tiles * s->kv_heads * p->pieces;
    if (p->pieces > 1) partial += p->tiles * s->kv_heads * p->pieces * att_partial_floats(p->rows, s->head_dim);
    scratch = gs_max64(scratch, att_forward_scratch(p->rows, s->head_dim, gs_ceil_div(seen, p->pieces)));
    most_pieces = gs_max64(most_pieces, p->pieces);
  }
  float *memory = gs_pool_borrow(pool, scratch * gs_pool_threads(pool) + partial);
  if (memory) {
    float *rest = memory + scratch * gs_pool_threads(pool);
    for (int64_t i = 0; i < count; i++) {
      att_plan *p = &plans[i];
      p->partial = rest;
      if (p->pieces > 1)
        rest += p->tiles * p->s->kv_heads * p->pieces * att_partial_floats(p->rows, p->s->head_dim);
    }
    att_call call = {.plans = plans, .count = count, .scratch = memory, .scratch_floats = scratch};
    gs_pool_run(pool, tasks, att_forward_task, &call);
    if (most_pieces > 1) gs_pool_run(pool, units, att_merge_task, &call);
    gs_pool_return(pool, memory);
  }
  if (plans != &one) free(plans);
  return memory ? GS_OK : GS_OUT_OF_MEMORY;
}

#include "attention_pattern.h"
