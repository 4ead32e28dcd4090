// Compares the fastest kernel table of the machine it runs on with the scalar one, over seeded random shapes: how an
// instruction set is tested for which there is no Swift on the test machine (scripts/neon.sh runs it under qemu).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static uint64_t state = 1;
static uint32_t bits(void) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(state >> 33);
}
static float uniform(void) { return (float)(int32_t)(bits() - (1u << 30)) / (float)(1u << 30); }
/// 1 ... limit, small sizes more often.
static int64_t size(int64_t limit) { return 1 + (int64_t)(bits() % (uint64_t)(bits() % 2 ? limit : (limit + 7) / 8)); }

static float *floats(int64_t n) {
  float *p = malloc((size_t)(n > 0 ? n : 1) * sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}
static float *copy(const float *x, int64_t n) {
  float *p = malloc((size_t)(n > 0 ? n : 1) * sizeof *p);
  memcpy(p, x, (size_t)n * sizeof *p);
  return p;
}

static int failures;
/// Elementwise difference relative to the largest magnitude of the reference.
static void expect_close(const char *what, const float *got, const float *want, int64_t n, float tolerance) {
  float scale = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) {
    scale = fmaxf(scale, fabsf(want[i]));
    const float d = fabsf(got[i] - want[i]);
    if (!(d <= worst)) worst = d;  // a NaN counts as the worst
  }
  if (worst <= tolerance * fmaxf(scale, 1e-6f)) return;
  printf("FAIL %s: %g of %g over %lld values\n", what, worst, scale, (long long)n);
  failures++;
}

static const struct { gs_dtype dtype; const char *name; int block, bytes; } formats[] = {
    {GS_F32, "f32", 1, 4},       {GS_F16, "f16", 1, 2},       {GS_BF16, "bf16", 1, 2},     {GS_Q8_0, "q8_0", 32, 34},
    {GS_Q4_0, "q4_0", 32, 18},   {GS_Q4_1, "q4_1", 32, 20},   {GS_Q5_0, "q5_0", 32, 22},   {GS_Q5_1, "q5_1", 32, 24},
    {GS_Q4_K, "q4_k", 256, 144}, {GS_Q5_K, "q5_k", 256, 176}, {GS_Q6_K, "q6_k", 256, 210}, {GS_I8, "i8", 1, 1}};
enum { FORMATS = sizeof formats / sizeof *formats };

/// A half in 0.5 ... 2 of either sign.
static uint16_t half(void) { return (uint16_t)((bits() & 0x8000) | 0x3800 | (bits() & 0x07ff)); }

/// Random content whose scales are ordinary numbers. `cols` is rounded up to whole blocks.
static gs_matrix matrix(int format, int64_t rows, int64_t cols) {
  const int64_t block = formats[format].block, bytes = formats[format].bytes;
  cols = (cols + block - 1) / block * block;
  const int64_t row_bytes = cols / block * bytes;
  uint8_t *data = malloc((size_t)(rows * row_bytes));
  for (int64_t i = 0; i < rows * row_bytes; i++) data[i] = (uint8_t)bits();
  float *scale = NULL;
  for (int64_t b = 0; b < rows * cols / block; b++) {
    uint8_t *at = data + b * bytes;
    const float value = uniform();
    const uint16_t d = half(), m = half();
    uint32_t word;
    memcpy(&word, &value, 4);
    switch (formats[format].dtype) {
      case GS_F32: memcpy(at, &value, 4); break;
      case GS_F16: memcpy(at, &d, 2); break;
      case GS_BF16: at[0] = (uint8_t)(word >> 16), at[1] = (uint8_t)(word >> 24); break;
      case GS_Q8_0: case GS_Q4_0: case GS_Q5_0: memcpy(at, &d, 2); break;
      case GS_Q4_1: case GS_Q5_1: case GS_Q4_K: case GS_Q5_K: memcpy(at, &d, 2), memcpy(at + 2, &m, 2); break;
      case GS_Q6_K: memcpy(at + 208, &d, 2); break;
      case GS_I8: break;
    }
  }
  if (formats[format].dtype == GS_I8) scale = floats(rows);
  return (gs_matrix){data, formats[format].dtype, rows, cols, row_bytes, scale};
}
static void discard(gs_matrix w) { free((void *)w.data), free((void *)w.row_scale); }

static const gs_kernels *fast, *slow;
static gs_pool *pool;
static char label[128];

static void test_gemm(void) {
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
        snprintf(label, sizeof label, "gemm %s layout %d %lldx%lldx%lld", formats[f].name, layout, (long long)m,
                 (long long)k, (long long)n);
        expect_close(label, c, d, m * n, 2e-5f);
        if (!layout) {
          int32_t ids[3] = {0, (int32_t)(n - 1), (int32_t)(bits() % n)};
          float *p = floats(3 * k), *q = floats(3 * k);
          fast->gather_rows(pool, &w, ids, 3, 1.5f, p, k);
          slow->gather_rows(pool, &w, ids, 3, 1.5f, q, k);
          snprintf(label, sizeof label, "gather %s", formats[f].name);
          expect_close(label, p, q, 3 * k, 1e-6f);
          free(p), free(q);
          const gs_matrix up = matrix(f, a, b);
          float *s = floats(m * n), *t = floats(m * n), *go[2] = {floats(m * n), floats(m * n)};
          gs_gated gate = {m, n, k, x, k, w, up, s, n, go[0], go[1]};
          fast->gated(pool, &gate);
          gate.out = t, gate.gate_out = gate.up_out = NULL;
          slow->gated(pool, &gate);
          snprintf(label, sizeof label, "gated %s", formats[f].name);
          expect_close(label, s, t, m * n, 5e-5f);
          free(s), free(t), free(go[0]), free(go[1]), discard(up);
        }
        free(x), free(bias), free(c), free(d), discard(w);
      }
}

static void test_rows(void) {
  for (int round = 0; round < 24; round++) {
    const int64_t n = size(17), d = size(300), cot = size(3);
    float *x = floats(n * d), *gain = floats(d), *res = floats(n * d), *y = floats(n * d), *z = floats(n * d);
    const float *residual = round % 2 ? res : NULL;
    fast->rms_norm(pool, n, d, x, gain, 1e-6f, residual, y);
    slow->rms_norm(pool, n, d, x, gain, 1e-6f, residual, z);
    expect_close("rms_norm", y, z, n * d, 1e-5f);
    float *dy = floats(cot * n * d), *a = floats(cot * n * d), *b = floats(cot * n * d);
    fast->rms_norm_vjp(pool, cot, n, d, dy, x, gain, 1e-6f, round % 2, a);
    slow->rms_norm_vjp(pool, cot, n, d, dy, x, gain, 1e-6f, round % 2, b);
    expect_close("rms_norm_vjp", a, b, cot * n * d, 2e-5f);
    float *dg[2] = {floats(cot * n * d), floats(cot * n * d)}, *du[2] = {floats(cot * n * d), floats(cot * n * d)};
    fast->gelu_gate_vjp(pool, cot, n * d, x, res, dy, dg[0], du[0]);
    slow->gelu_gate_vjp(pool, cot, n * d, x, res, dy, dg[1], du[1]);
    expect_close("gelu_gate_vjp dgate", dg[0], dg[1], cot * n * d, 1e-5f);
    expect_close("gelu_gate_vjp dup", du[0], du[1], cot * n * d, 1e-5f);
    fast->axpy(pool, n * d, 0.7f, x, y);
    slow->axpy(pool, n * d, 0.7f, x, z);
    expect_close("axpy", y, z, n * d, 1e-5f);
    float e[17], g[17];
    fast->log_sum_exp(pool, n, d, x, d, e);
    slow->log_sum_exp(pool, n, d, x, d, g);
    expect_close("log_sum_exp", e, g, n, 1e-5f);
    const int64_t k = 1 + bits() % d;
    int32_t *i = malloc(n * k * 4), *j = malloc(n * k * 4);
    float *v = floats(n * k), *w = floats(n * k);
    fast->top_k(pool, n, d, x, d, k, i, v);
    slow->top_k(pool, n, d, x, d, k, j, w);
    if (memcmp(i, j, n * k * 4) || memcmp(v, w, n * k * 4)) printf("FAIL top_k\n"), failures++;
    const int64_t heads = size(3), hd = 2 * size(64);
    float *r = floats(n * heads * hd), *s = copy(r, n * heads * hd), *cs = floats(n * hd / 2), *sn = floats(n * hd / 2);
    fast->rope(pool, n, heads, hd, r, cs, sn, round % 2);
    slow->rope(pool, n, heads, hd, s, cs, sn, round % 2);
    expect_close("rope", r, s, n * heads * hd, 1e-5f);
    float *all[] = {x, gain, res, y, z, dy, a, b, dg[0], dg[1], du[0], du[1], v, w, r, s, cs, sn};
    for (unsigned p = 0; p < sizeof all / sizeof *all; p++) free(all[p]);
    free(i), free(j);
  }
}

static void test_attention(void) {
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
    expect_close("attention", a, b, queries * heads * hd, 2e-5f);
    float *p = floats(heads * queries * keys), *o = floats(heads * queries * keys);
    fast->attention_pattern(pool, &t, p);
    slow->attention_pattern(pool, &t, o);
    expect_close("attention_pattern", p, o, heads * queries * keys, 2e-5f);
    const int64_t nq = cot * queries * heads * hd, nk = cot * keys * kv * hd;
    float *dout = floats(nq), *dq[2] = {floats(nq), floats(nq)}, *dk[2] = {floats(nk), floats(nk)};
    float *dv[2] = {floats(nk), floats(nk)};
    const int frozen = round % 3 == 0;
    gs_attention_vjp g = {t, cot, dout, frozen ? NULL : dq[0], dk[0], dv[0]};
    fast->attention_vjp(pool, &g);
    g.dq = frozen ? NULL : dq[1], g.dk = dk[1], g.dv = dv[1];
    slow->attention_vjp(pool, &g);
    expect_close("attention_vjp dv", dv[0], dv[1], nk, 5e-5f);
    if (!frozen) {
      expect_close("attention_vjp dq", dq[0], dq[1], nq, 1e-4f);
      expect_close("attention_vjp dk", dk[0], dk[1], nk, 1e-4f);
    }
    float *all[] = {q, k, v, a, b, p, o, dout, dq[0], dq[1], dk[0], dk[1], dv[0], dv[1]};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  }
}

static void test_sparse(void) {
  static const int kinds[] = {0, 2, 11};  // f32, bf16, i8
  for (int round = 0; round < 24; round++) {
    const int f = kinds[round % 3], layout = round / 3 % 2;
    const int64_t m = size(40), d = size(120), width = size(500);
    const gs_matrix w = layout ? matrix(f, d, width) : matrix(f, width, d);
    float *x = floats(m * d), *bias = floats(width), *limit = floats(width);
    for (int64_t i = 0; i < width; i++) limit[i] = fabsf(limit[i]) * 2;
    const gs_encode e = {m, d, width, x, d, w, (gs_layout)layout, bias, limit};
    gs_sparse got = {0}, want = {0};
    fast->encode(pool, &e, &got);
    slow->encode(pool, &e, &want);
    // A value on its threshold may fall to either side, so the codes are compared as dense rows.
    float *a = calloc(m * width, 4), *b = calloc(m * width, 4);
    for (int64_t r = 0; r < m; r++) {
      for (int64_t i = got.row_offsets[r]; i < got.row_offsets[r + 1]; i++)
        a[r * width + got.features[i]] = got.activations[i] - limit[got.features[i]];
      for (int64_t i = want.row_offsets[r]; i < want.row_offsets[r + 1]; i++)
        b[r * width + want.features[i]] = want.activations[i] - limit[want.features[i]];
    }
    expect_close("encode", a, b, m * width, 5e-5f);
    const gs_matrix out = matrix(f, width, d);
    float *y = floats(m * d), *z = copy(y, m * d);
    gs_decode g = {m, d, want.row_offsets, want.features, want.activations, out, bias, y, d, round % 2};
    if (d > width) g.bias = NULL;
    fast->decode(pool, &g);
    g.y = z;
    slow->decode(pool, &g);
    expect_close("decode", y, z, m * d, 2e-5f);
    gs_sparse_free(&got), gs_sparse_free(&want);
    free(a), free(b), free(x), free(bias), free(limit), free(y), free(z), discard(w), discard(out);
  }
}

int main(void) {
  fast = gs_kernels_best();
  slow = gs_kernels_for(GS_SCALAR);
  pool = gs_pool_create(2);
  if (!pool) return 2;
  printf("%s against %s\n", fast->name, slow->name);
  if (fast == slow) return printf("there is nothing to compare on this machine\n"), 2;
  test_rows();
  test_gemm();
  test_attention();
  test_sparse();
  gs_pool_destroy(pool);
  printf(failures ? "%d comparisons failed\n" : "all agree\n", failures);
  return failures ? 1 : 0;
}
