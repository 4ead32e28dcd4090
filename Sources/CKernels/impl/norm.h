// RMS norm (Zhang & Sennrich 2019) and its gradient, one row at a time. Rows are handed out in runs whose length
// depends on d alone.
#include "impl/pool.h"

enum { NORM_TASK_FLOATS = 16384 };

GS_INLINE int64_t norm_rows_per_task(int64_t d) { return gs_max64(1, NORM_TASK_FLOATS / gs_max64(1, d)); }

/// Σ a·b over n floats, in the same order for every caller.
GS_INLINE float norm_dot(int64_t n, const float *a, const float *b) {
  vf sum[4];
  for (int u = 0; u < 4; u++) sum[u] = vf_set(0);
  int64_t i = 0;
  for (; i + 4 * GS_VW <= n; i += 4 * GS_VW)
    for (int u = 0; u < 4; u++) sum[u] += vf_load(a + i + u * GS_VW) * vf_load(b + i + u * GS_VW);
  for (; i + GS_VW <= n; i += GS_VW) sum[0] += vf_load(a + i) * vf_load(b + i);
  float total = vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

/// 1 / sqrt(mean(x²) + eps).
GS_INLINE float norm_scale(int64_t d, const float *x, float eps) {
  return 1.0f / sqrtf(norm_dot(d, x, x) / (float)d + eps);
}

typedef struct norm_call {
  int64_t cotangents, rows, d;
  const float *x, *gain, *residual, *dy;
  float eps;
  int frozen;
  float *out;
} norm_call;

static void norm_task(void *context, int64_t task, int worker) {
  (void)worker;
  const norm_call *call = context;
  const int64_t d = call->d, step = norm_rows_per_task(d);
  for (int64_t r = task * step; r < gs_min64(call->rows, (task + 1) * step); r++) {
    const float *x = call->x + r * d, *residual = call->residual ? call->residual + r * d : NULL;
    float *y = call->out + r * d;
    const float scale = norm_scale(d, x, call->eps);
    int64_t i = 0;
    for (; i + GS_VW <= d; i += GS_VW) {
      const vf normed = vf_load(x + i) * vf_set(scale) * vf_load(call->gain + i);
      vf_store(y + i, residual ? vf_load(residual + i) + normed : normed);
    }
    for (; i < d; i++) {
      const float normed = x[i] * scale * call->gain[i];
      y[i] = residual ? residual[i] + normed : normed;
    }
  }
}

static void rms_norm(gs_pool *pool, int64_t rows, int64_t d, const float *x, const float *gain, float eps,
                     const float *residual, float *y) {
  norm_call call = {.rows = rows, .d = d, .x = x, .gain = gain, .residual = residual, .eps = eps, .out = y};
  gs_pool_run(pool, gs_ceil_div(rows, norm_rows_per_task(d)), norm_task, &call);
}

/// Σ gain·dy·x over n floats.
GS_INLINE float norm_dot3(int64_t n, const float *gain, const float *dy, const float *x) {
  vf sum[2] = {vf_set(0), vf_set(0)};
  int64_t i = 0;
  for (; i + 2 * GS_VW <= n; i += 2 * GS_VW)
    for (int u = 0; u < 2; u++) {
      const int64_t at = i + u * GS_VW;
      sum[u] += vf_load(gain + at) * vf_load(dy + at) * vf_load(x + at);
    }
  float total = vf_sum(sum[0] + sum[1]);
  for (; i < n; i++) total += gain[i] * dy[i] * x[i];
  return total;
}

/// With r = 1 / sqrt(mean(x²) + eps): dx = r (g∘dy - x · r² · mean(g∘dy∘x)); the last term is the denominator's.
static void norm_vjp_task(void *context, int64_t task, int worker) {
  (void)worker;
  const norm_call *call = context;
  const int64_t d = call->d, step = norm_rows_per_task(d);
  for (int64_t n = task * step; n < gs_min64(call->cotangents * call->rows, (task + 1) * step); n++) {
    const float *x = call->x + n % call->rows * d, *dy = call->dy + n * d;
    float *dx = call->out + n * d;
    const float scale = norm_scale(d, x, call->eps);
    const float pull = call->frozen ? 0 : -scale * scale * scale * (norm_dot3(d, call->gain, dy, x) / (float)d);
    int64_t i = 0;
    for (; i + GS_VW <= d; i += GS_VW) {
      vf value = vf_set(scale) * vf_load(call->gain + i) * vf_load(dy + i);
      if (!call->frozen) value += vf_set(pull) * vf_load(x + i);
      vf_store(dx + i, value);
    }
    for (; i < d; i++) {
      const float value = scale * call->gain[i] * dy[i];
      dx[i] = call->frozen ? value : value + pull * x[i];
    }
  }
}

static void rms_norm_vjp(gs_pool *pool, int64_t cotangents, int64_t rows, int64_t d, const float *dy, const float *x,
                         const float *gain, float eps, int frozen, float *dx) {
  norm_call call = {.cotangents = cotangents, .rows = rows, .d = d, .x = x, .gain = gain, .dy = dy, .eps = eps,
                    .frozen = frozen, .out = dx};
  gs_pool_run(pool, gs_ceil_div(cotangents * rows, norm_rows_per_task(d)), norm_vjp_task, &call);
}
