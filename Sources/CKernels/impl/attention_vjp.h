// The gradient of attention for many cotangents that share one forward. Per query tile, with P the weights and scores
// kept as keys × rows throughout:
//   dP = V dOᵀ,  dS = scale · P∘(dP - Σ P∘dP),  dQ = dSᵀ K,  dV = P dO,  dK = dS Q.
// P is computed once per tile for all cotangents. A wave of tiles is carried through two steps: one task per tile and
// cotangent makes dS and dQ; then one task per key tile and cotangent adds the wave's tiles, in order, to dK and dV. So
// no two tasks write to one place, nothing is computed twice, and what is held is a few tiles, never [queries, keys].

enum {
  ATT_VJP_KEYS = 48,           ///< keys a dK and dV task owns: a multiple of every ATT_MR
  ATT_VJP_COTANGENTS = 4,      ///< carried together through a wave when memory allows
  ATT_VJP_TILES = 16,          ///< tiles wanted in a wave before cotangents are added
  ATT_VJP_FLOATS = 12 << 20,   ///< that a wave may hold; two tiles at least, whatever their size
};

typedef struct att_vjp_call {
  const gs_attention_vjp *v;
  const gs_attention *s;
  int64_t group, tiles, key_tiles;
  int64_t first_unit, units;            ///< of the wave; unit = head · tiles + tile
  int64_t first_cotangent, cotangents;  ///< of the step
  int64_t most_cotangents;
  int64_t score_floats, row_floats, own_floats, unit_floats;  ///< own: what each cotangent adds to a unit
  float *wave;  ///< per unit: weights, packed queries, then per cotangent: dS, packed dO
  float *scratch;
  int64_t scratch_floats;
} att_vjp_call;

GS_INLINE att_tile att_vjp_tile(const att_vjp_call *c, int64_t number) {
  const int64_t unit = c->first_unit + number;
  return att_make_tile(c->s, unit / c->tiles, unit % c->tiles);
}
GS_INLINE float *att_vjp_weights(const att_vjp_call *c, int64_t number) { return c->wave + number * c->unit_floats; }
GS_INLINE float *att_vjp_queries(const att_vjp_call *c, int64_t number) {
  return att_vjp_weights(c, number) + c->score_floats;
}
GS_INLINE float *att_vjp_dscores(const att_vjp_call *c, int64_t number, int64_t cotangent) {
  return att_vjp_queries(c, number) + c->row_floats + cotangent * c->own_floats;
}
GS_INLINE float *att_vjp_douts(const att_vjp_call *c, int64_t number, int64_t cotangent) {
  return att_vjp_dscores(c, number, cotangent) + (c->v->dq ? c->score_floats : 0);
}

/// Weights and packed queries of one tile.
static void att_vjp_weights_task(void *context, int64_t number, int worker) {
  const att_vjp_call *c = context;
  const gs_attention *s = c->s;
  const att_tile t = att_vjp_tile(c, number);
  const float *q = s->q + att_tile_offset(&t, s->ldq);
  float *panels = c->scratch + worker * c->scratch_floats;
  float *rows = panels + att_round_up(t.rows, ATT_NR) * s->head_dim;
  att_pack_transposed(t.rows, t.group, s->head_dim, q, s->ldq, s->scale, panels);
  att_weights(&t, panels, rows, att_vjp_weights(c, number));
  att_pack_tile(t.rows, t.group, s->head_dim, q, s->ldq, att_vjp_queries(c, number));
}

/// dS = scale · P∘(dP - Σ P∘dP) in place of dP.
GS_FN void att_vjp_soften(const att_tile *t, const float *weights, float *dscores) {
  const int64_t count = t->keys.to - t->keys.from;
  const vf scale = vf_set(t->s->scale);
  for (int64_t r = 0; r < att_round_up(t->rows, ATT_NR); r += ATT_NR) {
    const att_range keys = att_rows_keys(t, r, r + ATT_NR);
    const int64_t from = gs_max64(0, keys.from - t->keys.from), to = gs_min64(count, keys.to - t->keys.from);
    vf sum[ATT_NV];
    for (int v = 0; v < ATT_NV; v++) sum[v] = vf_set(0);
    for (int64_t j = from; j < to; j++)
      for (int v = 0; v < ATT_NV; v++) {
        const int64_t at = j * t->ld + r + v * GS_VW;
        sum[v] += vf_load(weights + at) * vf_load(dscores + at);
      }
    for (int64_t j = from; j < to; j++)
      for (int v = 0; v < ATT_NV; v++) {
        const int64_t at = j * t->ld + r + v * GS_VW;
        vf_store(dscores + at, scale * vf_load(weights + at) * (vf_load(dscores + at) - sum[v]));
      }
  }
}

/// dQ of the tile, from dS.
GS_FN void att_vjp_dq(const att_tile *t, const float *dscores, float *scratch, float *dq) {
  const gs_attention *s = t->s;
  const int64_t d = s->head_dim, width = att_round_up(d, ATT_NR), ld = s->query_heads * d;
  float *o = scratch, *packed = o + t->rows * width;
  memset(o, 0, (size_t)(t->rows * width) * sizeof(float));
  for (int64_t b0 = t->keys.from; b0 < t->keys.to; b0 += ATT_KEY_BLOCK) {
    const int64_t b1 = gs_min64(t->keys.to, b0 + ATT_KEY_BLOCK);
    att_pack(b1 - b0, d, s->k + b0 * s->ldk + t->head * d, s->ldk, packed);
    att_gather(t, b0, b1, dscores + (b0 - t->keys.from) * t->ld, packed, o);
  }
  for (int64_t r = 0; r < t->rows; r++)
    memcpy(dq + r / t->group * ld + r % t->group * d, o + r * width, (size_t)d * sizeof(float));
}

/// Packed dO, and unless frozen dS and dQ, of one tile and cotangent.
static void att_vjp_rows_task(void *context, int64_t task, int worker) {
  const att_vjp_call *c = context;
  const gs_attention *s = c->s;
  const int64_t number = task / c->cotangents, cotangent = task % c->cotangents, d = s->head_dim;
  const int64_t ld = s->query_heads * d, plane = (c->first_cotangent + cotangent) * s->queries * ld;
  const att_tile t = att_vjp_tile(c, number);
  const float *dout = c->v->dout + plane + att_tile_offset(&t, ld);
  att_pack_tile(t.rows, t.group, d, dout, ld, att_vjp_douts(c, number, cotangent));
  if (!c->v->dq) return;
  float *scratch = c->scratch + worker * c->scratch_floats, *dscores = att_vjp_dscores(c, number, cotangent);
  att_pack_transposed(t.rows, t.group, d, dout, ld, 1, scratch);
  att_products(&t, s->v + t.head * d, s->ldv, scratch, t.keys.from, t.keys.to, dscores);
  att_vjp_soften(&t, att_vjp_weights(c, number), dscores);
  att_vjp_dq(&t, dscores, scratch, c->v->dq + plane + att_tile_offset(&t, ld));
}

/// grad[key, :] += scores[key, :] · rows[:, :] over one tile, for the keys j0 ..< j1.
GS_FN void att_vjp_add(const att_tile *t, int64_t j0, int64_t j1, const float *scores, const float *packed, float *grad,
                       int64_t ld) {
  const gs_attention *s = t->s;
  const int64_t d = s->head_dim, shift = s->first_key - s->first_query - t->first;
  for (int64_t i = 0; i < d; i += ATT_NR)
    for (int64_t j = j0; j < j1; j += ATT_MR) {
      const int64_t m = gs_min64(ATT_MR, j1 - j);
      // The tile's queries that see any of these keys: the mask read the other way.
      const int64_t q0 = gs_max64(0, j + shift);
      const int64_t q1 = s->window > 0 ? gs_min64(t->queries, j + m - 1 + shift + s->window) : t->queries;
      if (q0 >= q1) continue;
      att_rows(m, (q1 - q0) * t->group, scores + (j - t->keys.from) * t->ld + q0 * t->group, t->ld,
               packed + i * t->rows + q0 * t->group * ATT_NR, grad + j * ld + i, ld, gs_min64(ATT_NR, d - i), 1);
    }
}

/// Adds the wave to dK and dV of one key tile and cotangent.
static void att_vjp_keys_task(void *context, int64_t task, int worker) {
  (void)worker;
  const att_vjp_call *c = context;
  const gs_attention *s = c->s;
  const int64_t cotangent = task % c->cotangents, rest = task / c->cotangents;
  const int64_t head = rest % s->kv_heads, j0 = rest / s->kv_heads * ATT_VJP_KEYS;
  const int64_t j1 = gs_min64(s->keys, j0 + ATT_VJP_KEYS), ld = s->kv_heads * s->head_dim;
  const int64_t plane = (c->first_cotangent + cotangent) * s->keys * ld + head * s->head_dim;
  for (int64_t number = 0; number < c->units; number++) {
    const att_tile t = att_vjp_tile(c, number);
    const att_range keys = att_clip(t.keys, j0, j1);
    if (t.head != head || keys.from >= keys.to) continue;
    att_vjp_add(&t, keys.from, keys.to, att_vjp_weights(c, number), att_vjp_douts(c, number, cotangent),
                c->v->dv + plane, ld);
    if (c->v->dq)
      att_vjp_add(&t, keys.from, keys.to, att_vjp_dscores(c, number, cotangent), att_vjp_queries(c, number),
                  c->v->dk + plane, ld);
  }
}

static void att_vjp_clear_task(void *context, int64_t cotangent, int worker) {
  (void)worker;
  const att_vjp_call *c = context;
  const int64_t floats = c->s->keys * c->s->kv_heads * c->s->head_dim;
  memset(c->v->dv + cotangent * floats, 0, (size_t)floats * sizeof(float));
  if (c->v->dq) memset(c->v->dk + cotangent * floats, 0, (size_t)floats * sizeof(float));
}

static int attention_vjp(gs_pool *pool, const gs_attention_vjp *v) {
  const gs_attention *s = &v->forward;
  if (v->cotangents <= 0) return GS_OK;
  const int64_t d = s->head_dim, width = att_round_up(d, ATT_NR);
  att_vjp_call c = {.v = v, .s = s, .group = s->query_heads / s->kv_heads};
  const int64_t step = gs_min64(att_tile_queries(c.group), s->queries), rows = step * c.group;
  gs_pool_run(pool, v->cotangents, att_vjp_clear_task, &c);
  if (s->queries <= 0) return GS_OK;
  c.tiles = gs_ceil_div(s->queries, step);
  c.key_tiles = gs_ceil_div(s->keys, ATT_VJP_KEYS);
  c.score_floats = att_weights_floats(s, rows, step);
  c.row_floats = att_round_up(rows * width, 16);
  const int64_t shared = c.score_floats + c.row_floats;
  c.own_floats = (v->dq ? c.score_floats : 0) + c.row_floats;
  const int64_t units = c.tiles * s->kv_heads, wanted = gs_min64(units, ATT_VJP_TILES);
  c.most_cotangents = gs_min64(v->cotangents, ATT_VJP_COTANGENTS);
  while (c.most_cotangents > 1 && wanted * (shared + c.most_cotangents * c.own_floats) > ATT_VJP_FLOATS)
    c.most_cotangents--;
  c.unit_floats = shared + c.most_cotangents * c.own_floats;
  const int64_t wave = gs_min64(units, gs_max64(2, ATT_VJP_FLOATS / c.unit_floats));
  // Either the packed rows and three numbers each, or what dQ needs.
  const int64_t padded = att_round_up(rows, ATT_NR);
  c.scratch_floats = att_round_up(gs_max64(padded * d + 3 * padded, rows * width + ATT_KEY_BLOCK * width), 16);
  float *memory = gs_pool_borrow(pool, wave * c.unit_floats + gs_pool_threads(pool) * c.scratch_floats);
  if (!memory) return GS_OUT_OF_MEMORY;
  c.wave = memory;
  c.scratch = memory + wave * c.unit_floats;
  for (c.first_unit = 0; c.first_unit < units; c.first_unit += wave) {
    c.units = gs_min64(wave, units - c.first_unit);
    gs_pool_run(pool, c.units, att_vjp_weights_task, &c);
    for (c.first_cotangent = 0; c.first_cotangent < v->cotangents; c.first_cotangent += c.most_cotangents) {
      c.cotangents = gs_min64(c.most_cotangents, v->cotangents - c.first_cotangent);
      gs_pool_run(pool, c.units * c.cotangents, att_vjp_rows_task, &c);
      gs_pool_run(pool, c.key_tiles * s->kv_heads * c.cotangents, att_vjp_keys_task, &c);
    }
  }
  gs_pool_return(pool, memory);
  return GS_OK;
}
