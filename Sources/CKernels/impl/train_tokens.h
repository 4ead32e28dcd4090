// The half of a training step that goes token by token: decoding by Matryoshka group, and from reconstructions to
// gradients. A token's row stays in the first-level cache while its features' decoder rows stream past.
#ifndef GEMMASCOPE_IMPL_TRAIN_TOKENS_H
#define GEMMASCOPE_IMPL_TRAIN_TOKENS_H

/// Tokens per task.
#define GS_TRAIN_TOKENS 16

/// y += Σ over q < count of factors[q] · rows[q], over n floats; count <= 4.
GS_INLINE void add_some_rows(int64_t count, const float *const *rows, const float *factors, int64_t n, float *y) {
  if (count == 4)
    add_rows(4, rows, 1, factors, 0, n, y, 0);
  else
    for (int64_t q = 0; q < count; q++) add_rows(1, rows + q, 1, factors + q, 0, n, y, 0);
}

GS_FN void train_decode_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gs_train_decode *c = context;
  const int64_t last = gs_min64(c->rows, (task + 1) * GS_TRAIN_TOKENS);
  for (int64_t row = task * GS_TRAIN_TOKENS; row < last; row++) {
    const int64_t end = c->row_offsets[row + 1];
    int64_t e = c->row_offsets[row];
    int32_t active = 0;
    for (int64_t g = 0; g < c->groups; g++) {
      float *y = c->planes + g * c->plane + row * c->ldp;
      const float *rows[4];
      float factors[4];
      int64_t count = 0;
      for (; e < end && c->features[e] < c->group_ends[g]; e++) {
        const int64_t feature = c->features[e];
        if (c->threshold && !(c->z[e] > c->threshold[feature])) continue;
        rows[count] = c->w + feature * c->d;
        factors[count++] = c->z[e];
        active++;
        if (count < 4) continue;
        add_some_rows(4, rows, factors, c->d, y);
        count = 0;
      }
      add_some_rows(count, rows, factors, c->d, y);
    }
    c->active[row] += active;
  }
}

GS_FN void train_decode(gs_pool *pool, const gs_train_decode *c) {
  gs_pool_run(pool, gs_ceil_div(c->rows, GS_TRAIN_TOKENS), train_decode_task, (void *)c);
}

GS_FN void train_errors_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gs_train_errors *c = context;
  const int64_t last = gs_min64(c->rows, (task + 1) * GS_TRAIN_TOKENS);
  for (int64_t row = task * GS_TRAIN_TOKENS; row < last; row++) {
    float *y = c->planes + row * c->ldp, *residual = c->residual ? c->residual + row * c->ldp : NULL;
    const float *target = c->target + row * c->ldt;
    vf squares[GS_TRAIN_GROUPS], errors[GS_TRAIN_GROUPS];
    float tails[GS_TRAIN_GROUPS] = {0};
    for (int64_t g = 0; g < c->groups; g++) squares[g] = vf_set(0.0f);
    int64_t j = 0;
    for (; j + GS_VW <= c->d; j += GS_VW) {
      vf sum = (c->bias ? vf_load(c->bias + j) : vf_set(0.0f)) - vf_load(target + j) * c->target_scale;
      for (int64_t g = 0; g < c->groups; g++) {
        sum += vf_load(y + g * c->plane + j);
        errors[g] = sum;
        squares[g] += sum * sum;
      }
      if (residual) vf_store(residual + j, -sum);
      vf total = vf_set(0.0f);
      for (int64_t g = c->groups - 1; g >= 0; g--) {
        total += errors[g] * (c->weights[g] * c->scale);
        vf_store(y + g * c->plane + j, total);
      }
    }
    for (; j < c->d; j++) {
      float sum = (c->bias ? c->bias[j] : 0.0f) - target[j] * c->target_scale, each[GS_TRAIN_GROUPS];
      for (int64_t g = 0; g < c->groups; g++) {
        sum += y[g * c->plane + j];
        each[g] = sum;
        tails[g] += sum * sum;
      }
      if (residual) residual[j] = -sum;
      float total = 0.0f;
      for (int64_t g = c->groups - 1; g >= 0; g--) {
        total += each[g] * (c->weights[g] * c->scale);
        y[g * c->plane + j] = total;
      }
    }
    for (int64_t g = 0; g < c->groups; g++) c->squares[g * c->rows + row] += vf_sum(squares[g]) + tails[g];
  }
}

GS_FN void train_errors(gs_pool *pool, const gs_train_errors *c) {
  gs_pool_run(pool, gs_ceil_div(c->rows, GS_TRAIN_TOKENS), train_errors_task, (void *)c);
}

#endif
