// Attention of one query (a decode step): keys and values are streamed once for all query heads that share them.

#if GS_VW == 16 || GS_VW == 4
enum { ATT_SINGLE_KEYS = 4 };
#elif GS_VW == 8
enum { ATT_SINGLE_KEYS = 2 };
#else
enum { ATT_SINGLE_KEYS = 1 };
#endif

/// scores[h][key] = q[h, :] · k[key, :] for `m` <= 4 heads and `n` <= ATT_SINGLE_KEYS keys.
GS_INLINE void att_single_scores(const int m, const int n, int64_t d, const float *q, const float *k, int64_t ldk,
                                 float *scores, int64_t ld) {
  vf acc[4][ATT_SINGLE_KEYS];
  for (int h = 0; h < m; h++)
    for (int j = 0; j < n; j++) acc[h][j] = vf_set(0);
  int64_t i = 0;
  for (; i + GS_VW <= d; i += GS_VW) {
    vf x[ATT_SINGLE_KEYS];
    for (int j = 0; j < n; j++) x[j] = vf_load(k + j * ldk + i);
    for (int h = 0; h < m; h++) {
      const vf y = vf_load(q + h * d + i);
      for (int j = 0; j < n; j++) acc[h][j] += y * x[j];
    }
  }
  for (int h = 0; h < m; h++)
    for (int j = 0; j < n; j++) {
      float sum = vf_sum(acc[h][j]);
      for (int64_t e = i; e < d; e++) sum += q[h * d + e] * k[j * ldk + e];
      scores[h * ld + j] = sum;
    }
}

/// o[h, :] += Σ weights[h][key] · v[key, :] for `m` <= 4 heads and `n` <= ATT_SINGLE_KEYS keys.
GS_INLINE void att_single_values(const int m, const int n, int64_t d, const float *weights, int64_t ld, const float *v,
                                 int64_t ldv, float *o, int64_t ldo) {
  int64_t i = 0;
  for (; i + GS_VW <= d; i += GS_VW) {
    vf x[ATT_SINGLE_KEYS];
    for (int j = 0; j < n; j++) x[j] = vf_load(v + j * ldv + i);
    for (int h = 0; h < m; h++) {
      vf sum = vf_load(o + h * ldo + i);
      for (int j = 0; j < n; j++) sum += vf_set(weights[h * ld + j]) * x[j];
      vf_store(o + h * ldo + i, sum);
    }
  }
  for (; i < d; i++)
    for (int h = 0; h < m; h++)
      for (int j = 0; j < n; j++) o[h * ldo + i] += weights[h * ld + j] * v[j * ldv + i];
}

#define ATT_SINGLE_LOOP(heads)                                                                                     \
  for (; j + ATT_SINGLE_KEYS <= n; j += ATT_SINGLE_KEYS) ATT_SINGLE_STEP(heads, ATT_SINGLE_KEYS);                  \
  for (; j < n; j++) ATT_SINGLE_STEP(heads, 1);

/// Unnormalised output o[group, ldo] of keys k0 ..< k1, with each head's peak and sum. `q` [group, head_dim] is scaled
/// already; `scores` is scratch for group · (k1 - k0) floats, rounded up to whole vectors per head.
GS_FN void att_single(const att_tile *t, const float *q, int64_t k0, int64_t k1, float *scores, float *o, int64_t ldo,
                      float *peak, float *sum) {
  const gs_attention *s = t->s;
  const int64_t d = s->head_dim, n = k1 - k0, ld = att_round_up(n, GS_VW);
  const float *k = s->k + k0 * s->ldk + t->head * d, *v = s->v + k0 * s->ldv + t->head * d;
  memset(o, 0, (size_t)(t->group * ldo) * sizeof(float));
  for (int64_t h = 0; h < t->group;) {
    const int64_t heads = t->group - h >= 4 ? 4 : t->group - h >= 2 ? 2 : 1;
    int64_t j = 0;
#define ATT_SINGLE_STEP(m, count) \
  att_single_scores(m, count, d, q + h * d, k + j * s->ldk, s->ldk, scores + h * ld + j, ld)
    if (heads == 4) {
      ATT_SINGLE_LOOP(4)
    } else if (heads == 2) {
      ATT_SINGLE_LOOP(2)
    } else {
      ATT_SINGLE_LOOP(1)
    }
#undef ATT_SINGLE_STEP
    h += heads;
  }
  for (int64_t h = 0; h < t->group; h++) {
    float *row = scores + h * ld;
    vf high = vf_set(-3.402823466e38f), total = vf_set(0);
    for (int64_t j = n; j < ld; j++) row[j] = -3.402823466e38f;
    for (int64_t j = 0; j < ld; j += GS_VW) high = vf_max(vf_load(row + j), high);
    peak[h] = vf_max_lane(high);
    for (int64_t j = 0; j < ld; j += GS_VW) {
      const vf weight = vf_exp(vf_load(row + j) - vf_set(peak[h]));
      vf_store(row + j, weight);
      if (j + GS_VW <= n) total += weight;
    }
    sum[h] = vf_sum(total);
    for (int64_t j = n / GS_VW * GS_VW; j < n; j++) sum[h] += row[j];
  }
  for (int64_t h = 0; h < t->group;) {
    const int64_t heads = t->group - h >= 4 ? 4 : t->group - h >= 2 ? 2 : 1;
    int64_t j = 0;
#define ATT_SINGLE_STEP(m, count) \
  att_single_values(m, count, d, scores + h * ld + j, ld, v + j * s->ldv, s->ldv, o + h * ldo, ldo)
    if (heads == 4) {
      ATT_SINGLE_LOOP(4)
    } else if (heads == 2) {
      ATT_SINGLE_LOOP(2)
    } else {
      ATT_SINGLE_LOOP(1)
    }
#undef ATT_SINGLE_STEP
    h += heads;
  }
}
