// Attention, its pattern and its gradients.
#include "support.h"

#include <stddef.h>

void compare_attention(void) {
  for (int round = 0; round < 24; round++) {
    const int64_t kv = size(2), heads = kv * size(4), hd = 4 * size(66), keys = size(90);
    const int64_t queries = 1 + bits() % keys, window = round % 2 ? size(40) : 0, cot = size(3);
    float *q = floats(queries * heads * hd), *k = floats(keys * kv * hd), *v = floats(keys * kv * hd);
    float *a = floats(queries * heads * hd), *b = floats(queries * heads * hd);
    gs_attention t = {queries, keys, heads, kv, hd, keys - queries, 0, window, 0.3f, q, k, v,
                      heads * hd, kv * hd, kv * hd, a, heads * hd};
    fast->attention(pool, &t, 1);
    t.out = b;
    slow->attention(pool, &t, 1);
    expect_close(a, b, queries * heads * hd, 2e-5f, "attention");
    float *p = floats(heads * queries * keys), *o = floats(heads * queries * keys);
    fast->attention_pattern(pool, &t, p);
    slow->attention_pattern(pool, &t, o);
    expect_close(p, o, heads * queries * keys, 2e-5f, "attention_pattern");
    const int64_t nq = cot * queries * heads * hd, nk = cot * keys * kv * hd;
    float *dout = floats(nq), *dq[2] = {floats(nq), floats(nq)}, *dk[2] = {floats(nk), floats(nk)};
    float *dv[2] = {floats(nk), floats(nk)};
    const int frozen = round % 3 == 0;
    gs_attention_vjp g = {t, cot, dout, frozen ? NULL : dq[0], dk[0], dv[0]};
    fast->attention_vjp(pool, &g);
    g.dq = frozen ? NULL : dq[1], g.dk = dk[1], g.dv = dv[1];
    slow->attention_vjp(pool, &g);
    expect_close(dv[0], dv[1], nk, 5e-5f, "attention_vjp dv");
    if (!frozen) {
      expect_close(dq[0], dq[1], nq, 1e-4f, "attention_vjp dq");
      expect_close(dk[0], dk[1], nk, 1e-4f, "attention_vjp dk");
    }
    release();
  }
}
