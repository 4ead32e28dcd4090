// Rotary positions (Su et al. 2021), the rotate-half form: elements i and i + head_dim/2 of a head are one point,
// turned by the row's angle i. Turning back by the same angle is both the inverse and the gradient.

enum { ROPE_TASK_FLOATS = 16384 };

typedef struct rope_call {
  int64_t rows, heads, head_dim, rows_per_task;
  float *x;
  const float *cos, *sin;
  int inverse;
} rope_call;

GS_INLINE void rope_head(int64_t half, float *x, const float *cos, const float *sin, float sign) {
  int64_t i = 0;
  for (; i + GS_VW <= half; i += GS_VW) {
    const vf first = vf_load(x + i), second = vf_load(x + half + i);
    const vf c = vf_load(cos + i), s = vf_load(sin + i) * vf_set(sign);
    vf_store(x + i, first * c - second * s);
    vf_store(x + half + i, second * c + first * s);
  }
  for (; i < half; i++) {
    const float first = x[i], second = x[half + i], s = sin[i] * sign;
    x[i] = first * cos[i] - second * s;
    x[half + i] = second * cos[i] + first * s;
  }
}

static void rope_task(void *context, int64_t task, int worker) {
  (void)worker;
  const rope_call *call = context;
  const int64_t half = call->head_dim / 2, step = call->rows_per_task;
  for (int64_t r = task * step; r < gs_min64(call->rows, (task + 1) * step); r++)
    for (int64_t h = 0; h < call->heads; h++)
      rope_head(half, call->x + (r * call->heads + h) * call->head_dim, call->cos + r * half, call->sin + r * half,
                call->inverse ? -1.0f : 1.0f);
}

static void rope(gs_pool *pool, int64_t rows, int64_t heads, int64_t head_dim, float *x, const float *cos,
                 const float *sin, int inverse) {
  rope_call call = {.rows = rows, .heads = heads, .head_dim = head_dim, .x = x, .cos = cos, .sin = sin,
                    .inverse = inverse};
  call.rows_per_task = gs_max64(1, ROPE_TASK_FLOATS / gs_max64(1, heads * head_dim));
  gs_pool_run(pool, gs_ceil_div(rows, call.rows_per_task), rope_task, &call);
}
