// The dense path of a training step: where most features are active, products of whole matrices are faster than pairs. A
// code becomes a dense matrix for a few tokens at a time; what lies between the products is done here.
#ifndef GEMMASCOPE_IMPL_TRAIN_PRODUCTS_H
#define GEMMASCOPE_IMPL_TRAIN_PRODUCTS_H

GS_FN void train_spread_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gs_train_spread *c = context;
  const int64_t last = gs_min64(c->rows, (task + 1) * GS_TRAIN_TOKENS);
  for (int64_t row = task * GS_TRAIN_TOKENS; row < last; row++) {
    float *out = c->out + row * c->width;
    memset(out, 0, (size_t)c->width * sizeof(float));
    int32_t active = 0;
    for (int64_t e = c->row_offsets[row]; e < c->row_offsets[row + 1]; e++) {
      const int64_t feature = c->features[e];
      if (c->threshold && !(c->z[e] > c->threshold[feature])) continue;
      out[feature] = c->z[e];
      active++;
    }
    if (c->active) c->active[row] += active;
  }
}

GS_FN void train_spread(gs_pool *pool, const gs_train_spread *c) {
  gs_pool_run(pool, gs_ceil_div(c->rows, GS_TRAIN_TOKENS), train_spread_task, (void *)c);
}

GS_FN void train_slopes_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gs_train_slopes *c = context;
  const float half = 0.5f * c->bandwidth;
  const int64_t last = gs_min64(c->width, (task + 1) * GS_TRAIN_BLOCK);
  for (int64_t i = task * GS_TRAIN_BLOCK; i < last; i++) {
    const float threshold = c->threshold ? c->threshold[i] : 0.0f;
    float *activations = c->activations + i * c->tokens, *slopes = c->slopes + i * c->tokens;
    float bias = 0.0f, window = 0.0f;
    int32_t pairs = 0, active = 0, inside = 0;
    for (int64_t t = 0; t < c->tokens; t++) {
      const float z = c->z[t * c->width + i], along = c->along[t * c->width + i];
      activations[t] = slopes[t] = 0.0f;
      // No entry of a code is 0.
      if (z == 0.0f) continue;
      pairs++;
      if (c->threshold && fabsf(z - threshold) < half) {
        window += threshold * along + c->slope[t];
        inside++;
      }
      if (c->threshold && !(z > threshold)) continue;
      activations[t] = z;
      slopes[t] = along;
      bias += along;
      active++;
    }
    c->sums->bias[i] += bias;
    c->sums->window[i] += window;
    c->sums->pairs[i] += pairs;
    c->sums->active[i] += active;
    c->sums->inside[i] += inside;
  }
}

GS_FN void train_slopes(gs_pool *pool, const gs_train_slopes *c) {
  gs_pool_run(pool, gs_ceil_div(c->width, GS_TRAIN_BLOCK), train_slopes_task, (void *)c);
}

#endif
