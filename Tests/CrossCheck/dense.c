// Products, gated products and gathered rows, for weights of every type.
#include "support.h"

void compare_dense(void) {
  for (int f = 0; f < FORMATS; f++)
    for (int layout = 0; layout < 2; layout++)
      for (int round = 0; round < 4; round++) {
        const int64_t m = size(70), a = size(90), b = size(300);
        const gs_matrix w = matrix(f, a, b);
        const int64_t k = layout ? w.rows : w.cols, n = layout ? w.cols : w.rows;
        float *x = floats(m * k), *bias = floats(n), *c = floats(m * n), *d = copy(c, m * n);
        gs_gemm g = {m, n, k, x, k, w, (gs_layout)layout, c, n, round % 2 ? bias : NULL, round / 2};
        fast->gemm(pool, &g);
        g.c = d;
        slow->gemm(pool, &g);
        expect_close(c, d, m * n, 2e-5f, "gemm %s layout %d %lldx%lldx%lld", formats[f].name, layout, (long long)m,
                     (long long)k, (long long)n);
        if (!layout) {
          int32_t ids[3] = {0, (int32_t)(n - 1), (int32_t)(bits() % n)};
          float *p = floats(3 * k), *q = floats(3 * k);
          fast->gather_rows(pool, &w, ids, 3, 1.5f, p, k);
          slow->gather_rows(pool, &w, ids, 3, 1.5f, q, k);
          expect_close(p, q, 3 * k, 1e-6f, "gather %s", formats[f].name);
          const gs_matrix up = matrix(f, a, b);
          float *s = floats(m * n), *t = floats(m * n), *go[2] = {floats(m * n), floats(m * n)};
          gs_gated gate = {m, n, k, x, k, w, up, s, n, go[0], go[1]};
          fast->gated(pool, &gate);
          gate.out = t, gate.gate_out = gate.up_out = NULL;
          slow->gated(pool, &gate);
          expect_close(s, t, m * n, 5e-5f, "gated %s", formats[f].name);
        }
        release();
      }
}
