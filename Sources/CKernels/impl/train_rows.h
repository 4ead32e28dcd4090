// The half of a training step that goes feature by feature: all gradients of a feature, its Adam step and its decoder's
// normalisation in one visit, while its rows are in the first-level cache. What streams past are the rows of activations
// and gradients of the tokens on which it fires.
#ifndef GEMMASCOPE_IMPL_TRAIN_ROWS_H
#define GEMMASCOPE_IMPL_TRAIN_ROWS_H

/// Pairs whose rows are gathered at once.
#define GS_PAIRS 16

/// out[q] = rows[q] · w over n floats for q < count; `count` is a constant wherever this is inlined.
GS_INLINE void dot_rows(const int count, const float *const *rows, const float *w, int64_t n, float *out) {
  vf sums[4], more[4];
  float tails[4] = {0};
#pragma clang loop unroll(full)
  for (int q = 0; q < count; q++) sums[q] = more[q] = vf_set(0.0f);
  int64_t j = 0;
  for (; j + 2 * GS_VW <= n; j += 2 * GS_VW) {
    const vf w0 = vf_load(w + j), w1 = vf_load(w + j + GS_VW);
#pragma clang loop unroll(full)
    for (int q = 0; q < count; q++) {
      sums[q] += vf_load(rows[q] + j) * w0;
      more[q] += vf_load(rows[q] + j + GS_VW) * w1;
    }
  }
  for (; j < n; j++)
#pragma clang loop unroll(full)
    for (int q = 0; q < count; q++) tails[q] += rows[q][j] * w[j];
#pragma clang loop unroll(full)
  for (int q = 0; q < count; q++) out[q] = vf_sum(sums[q] + more[q]) + tails[q];
}

GS_INLINE float dot_row(const float *a, const float *b, int64_t n) {
  float out;
  dot_rows(1, &a, b, n, &out);
  return out;
}

/// What a feature's pairs add up to.
typedef struct row_sums {
  float *encoder, *decoder;  ///< gradients of the rows
  float bias, threshold;     ///< the threshold's without its factor 1/ε
} row_sums;

/// Adds `count` pairs of one feature. `straight`: pairs inside the window count for the threshold.
GS_FN void train_pairs(const gs_train_rows *c, const int32_t *tokens, const float *values, int64_t count,
                       const float *gradient, const float *decoder, float threshold, int straight, float frequency,
                       row_sums *sums) {
  const float half = 0.5f * c->bandwidth;
  for (int64_t start = 0; start < count; start += GS_PAIRS) {
    const int64_t n = gs_min64(GS_PAIRS, count - start);
    const float *rows[GS_PAIRS];
    float along[GS_PAIRS];
    for (int64_t q = 0; q < n; q++) rows[q] = gradient + tokens[start + q] * c->ldg;
    int64_t q = 0;
    for (; q + 4 <= n; q += 4) dot_rows(4, rows + q, decoder, c->outputs, along + q);
    for (; q < n; q++) dot_rows(1, rows + q, decoder, c->outputs, along + q);

    const float *active_rows[GS_PAIRS], *inputs[GS_PAIRS];
    float z[GS_PAIRS], slopes[GS_PAIRS];
    int64_t active = 0;
    for (q = 0; q < n; q++) {
      const float value = values[start + q];
      const int64_t token = tokens[start + q];
      if (straight && fabsf(value - threshold) < half)
        sums->threshold -= threshold * along[q] + (c->slope[token] + frequency);
      if (straight && !(value > threshold)) continue;
      active_rows[active] = rows[q];
      inputs[active] = c->x + token * c->inputs;
      z[active] = value;
      slopes[active++] = along[q];
      sums->bias += along[q];
    }
    for (q = 0; q < active; q += 4) {
      add_some_rows(gs_min64(4, active - q), active_rows + q, z + q, c->outputs, sums->decoder);
      add_some_rows(gs_min64(4, active - q), inputs + q, slopes + q, c->inputs, sums->encoder);
    }
  }
}

typedef struct rows_context {
  const gs_train_rows *rows;
  adam_factors factors;
  float *scratch;
} rows_context;

/// Takes the part along the decoder row out of its gradient, steps, and gives the row unit length.
GS_FN void train_update(const rows_context *job, int64_t i, row_sums *sums) {
  const gs_train_rows *c = job->rows;
  const adam_factors *f = &job->factors;
  const int64_t missed = c->adam.step - c->last_step[i];
  const float decay = missed == 1 ? f->beta2 : (float)pow(f->beta2, (double)missed);
  float *decoder = c->decoder.value + i * c->outputs;

  const float *row = decoder;
  const float part = -dot_row(sums->decoder, decoder, c->outputs);
  add_rows(1, &row, 1, &part, 0, c->outputs, sums->decoder, 0);
  if (c->norms)
    c->norms[i] = dot_row(sums->decoder, sums->decoder, c->outputs) +
                  dot_row(sums->encoder, sums->encoder, c->inputs) + sums->bias * sums->bias;

#define GS_STEP(P, N, PACE, GRADIENT)                                                     \
  adam_step(f, decay, PACE, N, c->P.value + i * N, c->P.second + i * N,                   \
            c->P.first ? c->P.first + i * N : NULL, GRADIENT)
  GS_STEP(decoder, c->outputs, 1.0f, sums->decoder);
  GS_STEP(encoder, c->inputs, 1.0f, sums->encoder);
  GS_STEP(encoder_bias, 1, c->bias_rate, &sums->bias);
  if (c->threshold) GS_STEP(log_threshold, 1, c->threshold_rate, &sums->threshold);
#undef GS_STEP

  const float square = dot_row(decoder, decoder, c->outputs);
  if (square > 0.0f) {
    const float scale = 1.0f / sqrtf(square);
    for (int64_t j = 0; j < c->outputs; j++) decoder[j] *= scale;
  }
  c->last_step[i] = (int32_t)c->adam.step;
}

GS_FN void train_row(const rows_context *job, int64_t i, row_sums *sums, float *pull) {
  const gs_train_rows *c = job->rows;
  const gs_train_sums *made = c->sums.decoder ? &c->sums : NULL;
  const int64_t first = made ? 0 : c->pairs.offsets[i];
  const int64_t count = made ? made->pairs[i] : c->pairs.offsets[i + 1] - first;
  const int64_t aux_first = c->aux.offsets ? c->aux.offsets[i] : 0;
  const int64_t aux_count = c->aux.offsets ? c->aux.offsets[i + 1] - aux_first : 0;
  const int touched = count + aux_count > 0;
  const float threshold = c->threshold ? c->threshold[i] : 0.0f;
  int32_t active = made ? made->active[i] : 0;
  for (int64_t e = first; !made && e < first + count; e++) active += !c->threshold || c->pairs.values[e] > threshold;
  if (c->active) c->active[i] = active;
  if (c->norms) c->norms[i] = 0.0f;
  if (!touched && !c->encoder.first && !c->encoder_gradient) return;

  int64_t group = 0;
  while (group + 1 < c->groups && i >= c->group_ends[group]) group++;
  const float *decoder = c->decoder.value + i * c->outputs;
  const float share = (float)active / (float)c->tokens;
  const float frequency = c->frequency * (1.0f + 2.0f * share / c->frequency_scale);
  if (made) {
    memcpy(sums->encoder, made->encoder + i * c->inputs, (size_t)c->inputs * sizeof(float));
    memcpy(sums->decoder, made->decoder + i * c->outputs, (size_t)c->outputs * sizeof(float));
    sums->bias = made->bias[i];
    sums->threshold = -(made->window[i] + (float)made->inside[i] * frequency);
  } else {
    memset(sums->encoder, 0, (size_t)c->inputs * sizeof(float));
    memset(sums->decoder, 0, (size_t)c->outputs * sizeof(float));
    sums->bias = sums->threshold = 0.0f;
    train_pairs(c, c->pairs.tokens + first, c->pairs.values + first, count, c->gradient + group * c->plane, decoder,
                threshold, c->threshold != NULL, frequency, sums);
  }
  if (aux_count)
    train_pairs(c, c->aux.tokens + aux_first, c->aux.values + aux_first, aux_count, c->aux_gradient, decoder, 0.0f, 0,
                0.0f, sums);
  // By log θ: θ/ε · Σ.
  if (c->threshold) sums->threshold *= threshold / c->bandwidth;

  if (pull) {
    const float *row = c->encoder.value + i * c->inputs;
    add_rows(1, &row, 1, &sums->bias, 0, c->inputs, pull, 0);
  }
  if (c->encoder_gradient == NULL) {
    train_update(job, i, sums);
    return;
  }
  memcpy(c->encoder_gradient + i * c->inputs, sums->encoder, (size_t)c->inputs * sizeof(float));
  memcpy(c->decoder_gradient + i * c->outputs, sums->decoder, (size_t)c->outputs * sizeof(float));
  c->encoder_bias_gradient[i] = sums->bias;
  c->log_threshold_gradient[i] = sums->threshold;
}

GS_FN void train_rows_task(void *context, int64_t task, int worker) {
  const rows_context *job = context;
  const gs_train_rows *c = job->rows;
  float *scratch = job->scratch + worker * (round16(c->inputs) + round16(c->outputs));
  row_sums sums = {.encoder = scratch, .decoder = scratch + round16(c->inputs)};
  float *pull = c->pull ? c->pull + task * c->inputs : NULL;
  if (pull) memset(pull, 0, (size_t)c->inputs * sizeof(float));
  const int64_t last = gs_min64(c->width, (task + 1) * GS_TRAIN_BLOCK);
  for (int64_t i = task * GS_TRAIN_BLOCK; i < last; i++) train_row(job, i, &sums, pull);
}

GS_FN int train_rows(gs_pool *pool, const gs_train_rows *c) {
  rows_context job = {c, adam_factors_make(&c->adam), NULL};
  job.scratch = gs_pool_borrow(pool, (round16(c->inputs) + round16(c->outputs)) * gs_pool_threads(pool));
  if (job.scratch == NULL) return GS_OUT_OF_MEMORY;
  gs_pool_run(pool, gs_ceil_div(c->width, GS_TRAIN_BLOCK), train_rows_task, &job);
  gs_pool_return(pool, job.scratch);
  return GS_OK;
}

#endif
