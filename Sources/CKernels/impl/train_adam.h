// Adam, as torch.optim.Adam computes it.
#ifndef GEMMASCOPE_IMPL_TRAIN_ADAM_H
#define GEMMASCOPE_IMPL_TRAIN_ADAM_H

/// Adam's constants for one step.
typedef struct adam_factors {
  float beta1, beta2, epsilon;
  float rate;   ///< learning rate / (1 − β1^step)
  float scale;  ///< 1 / √(1 − β2^step)
} adam_factors;

GS_INLINE adam_factors adam_factors_make(const gs_adam *a) {
  const double step = (double)a->step;
  return (adam_factors){
      .beta1 = a->beta1,
      .beta2 = a->beta2,
      .epsilon = a->epsilon,
      .rate = (float)(a->rate / (1.0 - pow(a->beta1, step))),
      .scale = (float)(1.0 / sqrt(1.0 - pow(a->beta2, step))),
  };
}

/// One step of n parameters; the second moments are multiplied by `decay` (β2 when none was missed), the rate by `pace`.
GS_INLINE void adam_step(const adam_factors *f, float decay, float pace, int64_t n, float *value, float *second,
                         float *first, const float *gradient) {
  const float rate = f->rate * pace, fresh = 1.0f - f->beta2, fresh1 = 1.0f - f->beta1;
  int64_t j = 0;
  for (; j + GS_VW <= n; j += GS_VW) {
    const vf g = vf_load(gradient + j);
    const vf v = vf_load(second + j) * decay + g * g * fresh;
    vf_store(second + j, v);
    vf m = g;
    if (first) {
      m = vf_load(first + j) * f->beta1 + g * fresh1;
      vf_store(first + j, m);
    }
    const vf root = __builtin_elementwise_sqrt(v) * f->scale + f->epsilon;
    vf_store(value + j, vf_load(value + j) - m * rate / root);
  }
  for (; j < n; j++) {
    const float g = gradient[j];
    const float v = second[j] * decay + g * g * fresh;
    second[j] = v;
    float m = g;
    if (first) first[j] = m = first[j] * f->beta1 + g * fresh1;
    value[j] -= m * rate / (sqrtf(v) * f->scale + f->epsilon);
  }
}

typedef struct adam_context {
  adam_factors factors;
  int64_t n;
  const gs_parameter *parameter;
  const float *gradient;
} adam_context;

#define GS_ADAM_TASK 16384

GS_FN void adam_task(void *context, int64_t task, int worker) {
  (void)worker;
  const adam_context *c = context;
  const gs_parameter *p = c->parameter;
  const int64_t j = task * GS_ADAM_TASK;
  adam_step(&c->factors, c->factors.beta2, 1.0f, gs_min64(GS_ADAM_TASK, c->n - j), p->value + j, p->second + j,
            p->first ? p->first + j : NULL, c->gradient + j);
}

GS_FN void adam(gs_pool *pool, int64_t n, const gs_adam *a, const gs_parameter *parameter, const float *gradient) {
  adam_context job = {adam_factors_make(a), n, parameter, gradient};
  gs_pool_run(pool, gs_ceil_div(n, GS_ADAM_TASK), adam_task, &job);
}

#endif
