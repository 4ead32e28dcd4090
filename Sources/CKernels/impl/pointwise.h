// Element by element: y += alpha·x, and the gradient of the gated activation.
#include "impl/math.h"

enum {
  AXPY_TASK_FLOATS = 32768,
  GATE_TASK_FLOATS = 2048,  ///< the two factors of a task lie on the stack, shared by its cotangents
  GATE_TASK_COTANGENTS = 16,
};

typedef struct axpy_call {
  int64_t n;
  float alpha;
  const float *x;
  float *y;
} axpy_call;

static void axpy_task(void *context, int64_t task, int worker) {
  (void)worker;
  const axpy_call *call = context;
  const int64_t end = gs_min64(call->n, (task + 1) * AXPY_TASK_FLOATS);
  int64_t i = task * AXPY_TASK_FLOATS;
  for (; i + GS_VW <= end; i += GS_VW)
    vf_store(call->y + i, vf_load(call->y + i) + vf_set(call->alpha) * vf_load(call->x + i));
  for (; i < end; i++) call->y[i] += call->alpha * call->x[i];
}

static void axpy(gs_pool *pool, int64_t n, float alpha, const float *x, float *y) {
  axpy_call call = {.n = n, .alpha = alpha, .x = x, .y = y};
  gs_pool_run(pool, gs_ceil_div(n, AXPY_TASK_FLOATS), axpy_task, &call);
}

typedef struct gate_call {
  int64_t cotangents, n, chunks;
  const float *gate, *up, *dh;
  float *dgate, *dup;
} gate_call;

/// gelu_tanh(x) = x σ with σ = 1 / (1 + e^(-2u)), u = √(2/π) (x + 0.044715 x³); its derivative is
/// σ + x σ (1 - σ) 2u'. This form keeps its digits where the tanh form cancels, at negative x.
GS_INLINE void gate_factors(vf x, vf *value, vf *slope) {
  const vf root = vf_set(2 * 0.7978845608028654f), one = vf_set(1.0f), most = vf_set(80.0f);
  // Past 16 both functions have reached their limits to the last digit; the cube must not overflow.
  const vf bounded = vf_select(x < vf_set(-16.0f), vf_set(-16.0f), x);
  const vf y = vf_select(bounded > vf_set(16.0f), vf_set(16.0f), bounded);
  const vf square = y * y;
  vf power = -root * y * (one + vf_set(0.044715f) * square);
  power = vf_select(power > most, most, power);
  const vf e = vf_exp(power), sigma = one / (one + e);
  const vf steepness = root * (one + vf_set(3 * 0.044715f) * square);
  *value = bounded * sigma;
  *slope = sigma + y * sigma * (e * sigma) * steepness;
}

static void gate_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gate_call *call = context;
  const int64_t start = task % call->chunks * GATE_TASK_FLOATS, n = gs_min64(GATE_TASK_FLOATS, call->n - start);
  const int64_t first = task / call->chunks * GATE_TASK_COTANGENTS;
  float value[GATE_TASK_FLOATS], slope[GATE_TASK_FLOATS];
  for (int64_t i = 0; i < n; i += GS_VW) {
    float gate[GS_VW] = {0}, up[GS_VW] = {0};
    const size_t bytes = (size_t)gs_min64(GS_VW, n - i) * sizeof(float);
    memcpy(gate, call->gate + start + i, bytes);
    memcpy(up, call->up + start + i, bytes);
    vf v, s;
    gate_factors(vf_load(gate), &v, &s);
    vf_store(value + i, v);
    vf_store(slope + i, s * vf_load(up));
  }
  for (int64_t c = first; c < gs_min64(call->cotangents, first + GATE_TASK_COTANGENTS); c++) {
    const float *dh = call->dh + c * call->n + start;
    float *dgate = call->dgate + c * call->n + start, *dup = call->dup + c * call->n + start;
    int64_t i = 0;
    for (; i + GS_VW <= n; i += GS_VW) {
      const vf d = vf_load(dh + i);
      vf_store(dgate + i, d * vf_load(slope + i));
      vf_store(dup + i, d * vf_load(value + i));
    }
    for (; i < n; i++) {
      const float d = dh[i];
      dgate[i] = d * slope[i];
      dup[i] = d * value[i];
    }
  }
}

static void gelu_gate_vjp(gs_pool *pool, int64_t cotangents, int64_t n, const float *gate, const float *up,
                          const float *dh, float *dgate, float *dup) {
  gate_call call = {.cotangents = cotangents, .n = n, .chunks = gs_ceil_div(n, GATE_TASK_FLOATS), .gate = gate,
                    .up = up, .dh = dh, .dgate = dgate, .dup = dup};
  gs_pool_run(pool, call.chunks * gs_ceil_div(cotangents, GATE_TASK_COTANGENTS), gate_task, &call);
}
