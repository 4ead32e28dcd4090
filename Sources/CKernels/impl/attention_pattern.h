// Softmax weights as a result of their own: [query_heads, queries, keys], for looking at, not for computing with.

typedef struct att_pattern_call {
  const gs_attention *s;
  float *pattern, *scratch;
  int64_t tiles, scratch_floats;
} att_pattern_call;

/// Floats of one tile's weights over all keys it can see.
GS_INLINE int64_t att_weights_floats(const gs_attention *s, int64_t rows, int64_t queries) {
  const int64_t seen = s->window > 0 ? gs_min64(s->keys, s->window + queries - 1) : s->keys;
  return att_round_up(seen * att_score_ld(rows), 16);
}

static void att_pattern_task(void *context, int64_t task, int worker) {
  const att_pattern_call *call = context;
  const gs_attention *s = call->s;
  const att_tile t = att_make_tile(s, task % s->kv_heads, call->tiles - 1 - task / s->kv_heads);
  const int64_t padded = att_round_up(t.rows, ATT_NR);
  float *panels = call->scratch + worker * call->scratch_floats;
  float *rows = panels + padded * s->head_dim, *weights = rows + 3 * padded;
  att_pack_transposed(t.rows, t.group, s->head_dim, s->q + att_tile_offset(&t, s->ldq), s->ldq, s->scale, panels);
  att_weights(&t, panels, rows, weights);
  for (int64_t r = 0; r < t.rows; r++) {
    const int64_t head = t.head * t.group + r % t.group, query = t.first + r / t.group;
    float *to = call->pattern + (head * s->queries + query) * s->keys;
    memset(to, 0, (size_t)s->keys * sizeof(float));
    for (int64_t j = t.keys.from; j < t.keys.to; j++) to[j] = weights[(j - t.keys.from) * t.ld + r];
  }
}

static int attention_pattern(gs_pool *pool, const gs_attention *s, float *pattern) {
  const int64_t group = s->query_heads / s->kv_heads, step = gs_min64(att_tile_queries(group), s->queries);
  const int64_t rows = step * group, padded = att_round_up(rows, ATT_NR);
  if (s->queries <= 0) return GS_OK;
  att_pattern_call call = {.s = s, .pattern = pattern, .tiles = gs_ceil_div(s->queries, att_tile_queries(group))};
  call.scratch_floats = padded * s->head_dim + 3 * padded + att_weights_floats(s, rows, step);
  call.scratch = gs_pool_borrow(pool, call.scratch_floats * gs_pool_threads(pool));
  if (!call.scratch) return GS_OUT_OF_MEMORY;
  gs_pool_run(pool, call.tiles * s->kv_heads, att_pattern_task, &call);
  gs_pool_return(pool, call.scratch);
  return GS_OK;
}
