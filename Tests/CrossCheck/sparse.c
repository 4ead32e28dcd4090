// Encoding and decoding with dictionaries, as they are read (any type, either layout) and as they are trained (fp32
// encoder rows by feature, whole batches, with and without thresholds).
#include <math.h>
#include <stdlib.h>

#include "support.h"

/// The code as dense rows of margins over the thresholds: a value on its threshold may fall to either side.
static float *margins(const gs_sparse *code, const gs_encode *e) {
  float *rows = room(e->m * e->width * 4);
  for (int64_t i = 0; i < e->m * e->width; i++) rows[i] = 0;
  for (int64_t r = 0; r < e->m; r++)
    for (int64_t i = code->row_offsets[r]; i < code->row_offsets[r + 1]; i++) {
      const int32_t feature = code->features[i];
      rows[r * e->width + feature] = code->activations[i] - (e->threshold ? e->threshold[feature] : 0);
    }
  return rows;
}

static void compare_encode(const gs_encode *e, gs_sparse *code, const char *what) {
  gs_sparse got = {0};
  if (fast->encode(pool, e, &got) != GS_OK || slow->encode(pool, e, code) != GS_OK) abort();
  expect_close(margins(&got, e), margins(code, e), e->m * e->width, 5e-5f, "%s %lldx%lldx%lld", what, (long long)e->m,
               (long long)e->d, (long long)e->width);
  gs_sparse_free(&got);
}

void compare_sparse(void) {
  const int kinds[] = {format_of(GS_F32), format_of(GS_BF16), format_of(GS_I8)};
  for (int round = 0; round < 24; round++) {
    const int f = kinds[round % 3], layout = round / 3 % 2;
    const int64_t m = size(40), d = size(120), width = size(500);
    const gs_matrix w = layout ? matrix(f, d, width) : matrix(f, width, d);
    float *x = floats(m * d), *bias = floats(width), *limit = floats(width);
    for (int64_t i = 0; i < width; i++) limit[i] = fabsf(limit[i]) * 2;
    gs_sparse code = {0};
    compare_encode(&(gs_encode){m, d, width, x, d, w, (gs_layout)layout, bias, limit}, &code, "encode");
    const gs_matrix out = matrix(f, width, d);
    float *y = floats(m * d), *z = copy(y, m * d);
    gs_decode g = {m, d, code.row_offsets, code.features, code.activations, out, bias, y, d, round % 2};
    if (d > width) g.bias = NULL;
    fast->decode(pool, &g);
    g.y = z;
    slow->decode(pool, &g);
    expect_close(y, z, m * d, 2e-5f, "decode");
    gs_sparse_free(&code);
    release();
  }
  for (int round = 0; round < 12; round++) {
    const int64_t m = 64 + size(200), d = size(300), width = size(400), ldx = d + size(20);
    float *x = floats(m * ldx), *bias = floats(width), *limit = floats(width);
    for (int64_t i = 0; i < width; i++) limit[i] = fabsf(limit[i]) * 4;
    const gs_matrix w = matrix(format_of(GS_F32), width, d);
    gs_sparse code = {0};
    compare_encode(
        &(gs_encode){m, d, width, x, ldx, w, GS_ROWS_ARE_OUTPUTS, round % 3 ? bias : NULL, round % 4 ? limit : NULL},
        &code, "encode for training");
    gs_sparse_free(&code);
    release();
  }
}
