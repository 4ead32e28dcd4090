// Kullback–Leibler divergence between rows of logits, with its gradient when that is wanted. Cut like the reductions
// in logits.h.
#ifndef GEMMASCOPE_IMPL_DIVERGENCE_H
#define GEMMASCOPE_IMPL_DIVERGENCE_H

typedef struct divergence_call {
  int64_t n, chunk, chunks;
  const float *p, *q, *p_lse, *q_lse;
  float *gradient;  ///< or NULL
  double *sum;  ///< [rows][chunks]
} divergence_call;

static void divergence_task(void *context, int64_t task, int worker) {
  (void)worker;
  const divergence_call *call = context;
  const int64_t row = task / call->chunks, start = task % call->chunks * call->chunk;
  const int64_t n = gs_min64(call->chunk, call->n - start), at = row * call->n + start;
  const float *p = call->p + at, *q = call->q + at;
  float *gradient = call->gradient ? call->gradient + at : NULL;
  const float p_lse = call->p_lse[row], q_lse = call->q_lse[row];
  vf sum[2] = {vf_set(0), vf_set(0)};
  int64_t i = 0;
  for (; i + 2 * GS_VW <= n; i += 2 * GS_VW)
    for (int u = 0; u < 2; u++) {
      const vf log_p = vf_load(p + i + u * GS_VW) - vf_set(p_lse), log_q = vf_load(q + i + u * GS_VW) - vf_set(q_lse);
      const vf share = vf_exp(log_p);
      sum[u] += share * (log_p - log_q);
      if (gradient) vf_store(gradient + i + u * GS_VW, vf_exp(log_q) - share);
    }
  float total = vf_sum(sum[0] + sum[1]);
  for (; i < n; i++) {
    const float log_p = p[i] - p_lse, log_q = q[i] - q_lse, share = att_exp(log_p);
    total += share * (log_p - log_q);
    if (gradient) gradient[i] = att_exp(log_q) - share;
  }
  call->sum[task] = total;
}

static void divergence(gs_pool *pool, int64_t rows, int64_t n, const float *p, const float *p_lse, const float *q,
                       const float *q_lse, double *out, float *gradient) {
  double sum[LOGITS_PARTIALS];
  divergence_call call = {.n = n, .chunk = logits_chunk(n), .sum = sum};
  call.chunks = gs_max64(1, gs_ceil_div(n, call.chunk));
  const int64_t batch = LOGITS_PARTIALS / call.chunks;
  for (int64_t r0 = 0; r0 < rows; r0 += batch) {
    const int64_t count = gs_min64(batch, rows - r0);
    call.p = p + r0 * n;
    call.q = q + r0 * n;
    call.p_lse = p_lse + r0;
    call.q_lse = q_lse + r0;
    call.gradient = gradient ? gradient + r0 * n : NULL;
    gs_pool_run(pool, count * call.chunks, divergence_task, &call);
    for (int64_t r = 0; r < count; r++) {
      out[r0 + r] = 0;
      for (int64_t c = 0; c < call.chunks; c++) out[r0 + r] += sum[r * call.chunks + c];
    }
  }
}

#endif
