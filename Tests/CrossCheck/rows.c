// What goes row by row: norms, gates, rotations, logits.
#include "support.h"

void compare_rows(void) {
  for (int round = 0; round < 24; round++) {
    const int64_t n = size(17), d = size(300), cot = size(3);
    float *x = floats(n * d), *gain = floats(d), *res = floats(n * d), *y = floats(n * d), *z = floats(n * d);
    const float *residual = round % 2 ? res : NULL;
    fast->rms_norm(pool, n, d, x, gain, 1e-6f, residual, y);
    slow->rms_norm(pool, n, d, x, gain, 1e-6f, residual, z);
    expect_close(y, z, n * d, 1e-5f, "rms_norm");
    float *dy = floats(cot * n * d), *a = floats(cot * n * d), *b = floats(cot * n * d);
    fast->rms_norm_vjp(pool, cot, n, d, dy, x, gain, 1e-6f, round % 2, a);
    slow->rms_norm_vjp(pool, cot, n, d, dy, x, gain, 1e-6f, round % 2, b);
    expect_close(a, b, cot * n * d, 2e-5f, "rms_norm_vjp");
    float *dg[2] = {floats(cot * n * d), floats(cot * n * d)}, *du[2] = {floats(cot * n * d), floats(cot * n * d)};
    fast->gelu_gate_vjp(pool, cot, n * d, x, res, dy, dg[0], du[0]);
    slow->gelu_gate_vjp(pool, cot, n * d, x, res, dy, dg[1], du[1]);
    expect_close(dg[0], dg[1], cot * n * d, 1e-5f, "gelu_gate_vjp dgate");
    expect_close(du[0], du[1], cot * n * d, 1e-5f, "gelu_gate_vjp dup");
    fast->axpy(pool, n * d, 0.7f, x, y);
    slow->axpy(pool, n * d, 0.7f, x, z);
    expect_close(y, z, n * d, 1e-5f, "axpy");
    float e[17], g[17];
    fast->log_sum_exp(pool, n, d, x, d, e);
    slow->log_sum_exp(pool, n, d, x, d, g);
    expect_close(e, g, n, 1e-5f, "log_sum_exp");
    const int64_t k = 1 + bits() % d;
    int32_t *i = room(n * k * 4), *j = room(n * k * 4);
    float *v = floats(n * k), *w = floats(n * k);
    fast->top_k(pool, n, d, x, d, k, i, v);
    slow->top_k(pool, n, d, x, d, k, j, w);
    expect_same(i, j, n * k * 4, "top_k features");
    expect_same(v, w, n * k * 4, "top_k values");
    const int64_t heads = size(3), hd = 2 * size(64);
    float *r = floats(n * heads * hd), *s = copy(r, n * heads * hd), *cs = floats(n * hd / 2), *sn = floats(n * hd / 2);
    fast->rope(pool, n, heads, hd, r, cs, sn, round % 2);
    slow->rope(pool, n, heads, hd, s, cs, sn, round % 2);
    expect_close(r, s, n * heads * hd, 1e-5f, "rope");
    release();
  }
}
