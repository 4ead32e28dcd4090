// Scores of a query tile and their softmax, keys as rows: scores[key - origin][row of the tile]. Every panel of ATT_NR
// rows is computed only over the keys that its own queries see, so the causal diagonal wastes a few keys per panel;
// the rest of the block is zero.

/// One-lane exponential with the same bits as the vector one.
GS_INLINE float att_exp(float x) {
  float lanes[GS_VW];
  const vf y = vf_exp(vf_set(x));
  memcpy(lanes, &y, sizeof lanes);
  return lanes[0];
}

/// Keys that every row of r0 ..< r1 sees: no mask is needed there.
GS_INLINE att_range att_rows_common_keys(const att_tile *t, int64_t r0, int64_t r1) {
  const att_range first = att_visible(t->s, t->first + r0 / t->group);
  const att_range last = att_visible(t->s, t->first + (gs_min64(r1, t->rows) - 1) / t->group);
  if (first.from == first.to || last.from == last.to) return (att_range){0, 0};
  return (att_range){last.from, first.to};
}

/// products[key - k0][row] = x[key, :] · panels[:, row] for the keys k0 ..< k1 that the row's panel sees, where `x` is
/// the tile's key (or value) head; zero for the others. `panels` comes from att_pack_transposed.
GS_FN void att_products(const att_tile *t, const float *x, int64_t ldx, const float *panels, int64_t k0, int64_t k1,
                        float *products) {
  const int64_t d = t->s->head_dim;
  for (int64_t r0 = 0; r0 < t->rows; r0 += ATT_NR) {
    const float *panel = panels + r0 * d;
    const att_range keys = att_clip(att_rows_keys(t, r0, r0 + ATT_NR), k0, k1);
    for (int64_t j = keys.from; j < keys.to; j += ATT_MR)
      att_rows(gs_min64(ATT_MR, keys.to - j), d, x + j * ldx, ldx, panel, products + (j - k0) * t->ld + r0, t->ld,
               ATT_NR, 0);
    for (int64_t j = k0; j < k1; j++) {
      if (j == keys.from) j = keys.to;
      if (j >= k1) break;
      for (int v = 0; v < ATT_NV; v++) vf_store(products + (j - k0) * t->ld + r0 + v * GS_VW, vf_set(0));
    }
  }
}

/// o[row, :] += Σ weights[key][row] · x[key, :] over the keys k0 ..< k1, where `packed` is x packed by att_pack and
/// `o` is [rows, padded head_dim].
GS_FN void att_gather(const att_tile *t, int64_t k0, int64_t k1, const float *weights, const float *packed, float *o) {
  const int64_t width = att_round_up(t->s->head_dim, ATT_NR);
  for (int64_t i = 0; i < width; i += ATT_NR)
    for (int64_t r = 0; r < t->rows; r += ATT_MR) {
      const att_range seen = att_clip(att_rows_keys(t, r, r + ATT_MR), k0, k1);
      if (seen.from < seen.to)
        att_columns(gs_min64(ATT_MR, t->rows - r), seen.to - seen.from, weights + (seen.from - k0) * t->ld + r, t->ld,
                    packed + i * (k1 - k0) + (seen.from - k0) * ATT_NR, o + r * width + i, width, ATT_NR, 1);
    }
}

/// A panel of scores being turned into weights: lanes are rows.
typedef struct att_panel {
  float *scores;  ///< of the key `origin`, first row of the panel
  int64_t ld, origin;
  att_lanes seen[ATT_NV];  ///< relative to origin
  vf peak[ATT_NV], sum[ATT_NV];
} att_panel;

GS_INLINE vi att_mask(const att_panel *p, int v, int64_t j) {
  const vi key = (vi)((int32_t)(j - p->origin));
  return (vi)(p->seen[v].from <= key) & (vi)(p->seen[v].to > key);
}

/// Raises `peak` to the largest of the visible scores of keys j0 ..< j1.
GS_INLINE void att_raise(att_panel *p, int64_t j0, int64_t j1, const int masked) {
  vf peak[ATT_NV];
  for (int v = 0; v < ATT_NV; v++) peak[v] = p->peak[v];
  for (int64_t j = j0; j < j1; j++)
    for (int v = 0; v < ATT_NV; v++) {
      const vf score = vf_load(p->scores + (j - p->origin) * p->ld + v * GS_VW);
      const vf higher = vf_max(score, peak[v]);
      peak[v] = masked ? vf_select(att_mask(p, v, j), higher, peak[v]) : higher;
    }
  for (int v = 0; v < ATT_NV; v++) p->peak[v] = peak[v];
}

/// Replaces scores by exp(score - peak), zero where not visible, and adds them to `sum`.
GS_INLINE void att_exponentiate(att_panel *p, int64_t j0, int64_t j1, const int masked) {
  vf peak[ATT_NV], sum[ATT_NV];
  for (int v = 0; v < ATT_NV; v++) peak[v] = p->peak[v], sum[v] = p->sum[v];
  for (int64_t j = j0; j < j1; j++)
    for (int v = 0; v < ATT_NV; v++) {
      float *at = p->scores + (j - p->origin) * p->ld + v * GS_VW;
      vf weight = vf_exp(vf_load(at) - peak[v]);
      if (masked) weight = vf_select(att_mask(p, v, j), weight, vf_set(0));
      vf_store(at, weight);
      sum[v] += weight;
    }
  for (int v = 0; v < ATT_NV; v++) p->sum[v] = sum[v];
}

/// One more block of keys k0 ..< k1 of a running softmax over the tile: scores become exp(score - peak), `peak` and
/// `sum` [rows, padded] are brought up to date, and `shrink` is what earlier sums and outputs have to be multiplied by.
GS_FN void att_soften(const att_tile *t, int64_t k0, int64_t k1, float *scores, float *peak, float *sum,
                      float *shrink) {
  for (int64_t r0 = 0; r0 < t->rows; r0 += ATT_NR) {
    const att_range keys = att_clip(att_rows_keys(t, r0, r0 + ATT_NR), k0, k1);
    att_range common = att_rows_common_keys(t, r0, r0 + ATT_NR);
    common.from = gs_min64(gs_max64(common.from, keys.from), keys.to);
    common.to = gs_max64(gs_min64(common.to, keys.to), common.from);
    att_panel p = {.scores = scores + r0, .ld = t->ld, .origin = k0};
    for (int v = 0; v < ATT_NV; v++) {
      p.seen[v] = att_lane_keys(t, r0 + v * GS_VW, k0);
      p.peak[v] = vf_load(peak + r0 + v * GS_VW);
    }
    att_raise(&p, keys.from, common.from, 1);
    att_raise(&p, common.from, common.to, 0);
    att_raise(&p, common.to, keys.to, 1);
    for (int v = 0; v < ATT_NV; v++) {
      const vf factor = vf_exp(vf_load(peak + r0 + v * GS_VW) - p.peak[v]);
      p.sum[v] = vf_load(sum + r0 + v * GS_VW) * factor;
      vf_store(shrink + r0 + v * GS_VW, factor);
      vf_store(peak + r0 + v * GS_VW, p.peak[v]);
    }
    att_exponentiate(&p, keys.from, common.from, 1);
    att_exponentiate(&p, common.from, common.to, 0);
    att_exponentiate(&p, common.to, keys.to, 1);
    for (int v = 0; v < ATT_NV; v++) vf_store(sum + r0 + v * GS_VW, p.sum[v]);
  }
}

/// The start of a running softmax: the lowest finite peak, so that differences of peaks are never NaN.
GS_FN void att_start(int64_t rows, float *peak, float *sum) {
  for (int64_t r = 0; r < att_round_up(rows, ATT_NR); r++) {
    peak[r] = -3.402823466e38f;
    sum[r] = 0;
  }
}

/// The whole softmax of the tile at once: weights[key - keys.from][row] over all keys the tile sees. `panels` holds
/// the packed queries, scaled; `rows` is scratch for 3 · padded rows.
GS_FN void att_weights(const att_tile *t, const float *panels, float *rows, float *weights) {
  const int64_t padded = att_round_up(t->rows, ATT_NR), count = t->keys.to - t->keys.from;
  float *peak = rows, *sum = peak + padded, *shrink = sum + padded;
  att_start(t->rows, peak, sum);
  att_products(t, t->s->k + t->head * t->s->head_dim, t->s->ldk, panels, t->keys.from, t->keys.to, weights);
  att_soften(t, t->keys.from, t->keys.to, weights, peak, sum, shrink);
  for (int64_t r = 0; r < padded; r++) sum[r] = sum[r] == 0 ? 0 : 1 / sum[r];
  for (int64_t j = 0; j < count; j++)
    for (int64_t r = 0; r < padded; r += GS_VW) {
      float *at = weights + j * t->ld + r;
      vf_store(at, vf_load(at) * vf_load(sum + r));
    }
}
