#include "support.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const gs_kernels *fast, *slow;
gs_pool *pool;
int failures;

// Each allocation starts with the address of the one before.
static void **latest;

void *room(int64_t bytes) {
  void **p = malloc((size_t)bytes + 16);
  if (!p) abort();
  *p = latest;
  latest = p;
  return (char *)p + 16;
}

void release(void) {
  while (latest) {
    void **before = *latest;
    free(latest);
    latest = before;
  }
}

float *floats(int64_t n) {
  float *p = room(n * (int64_t)sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}

float *copy(const float *x, int64_t n) { return memcpy(room(n * (int64_t)sizeof *x), x, (size_t)n * sizeof *x); }

static uint64_t state = 1;

uint32_t bits(void) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(state >> 33);
}

float uniform(void) { return (float)(int32_t)(bits() - (1u << 30)) / (float)(1u << 30); }

int64_t size(int64_t limit) { return 1 + (int64_t)(bits() % (uint64_t)(bits() % 2 ? limit : (limit + 7) / 8)); }

static void fail(const char *what, va_list arguments) {
  printf("FAIL ");
  vprintf(what, arguments);
  failures++;
}

void expect_close(const float *got, const float *want, int64_t n, float tolerance, const char *what, ...) {
  float scale = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) {
    scale = fmaxf(scale, fabsf(want[i]));
    const float d = fabsf(got[i] - want[i]);
    if (!(d <= worst)) worst = d;  // a NaN counts as the worst
  }
  if (worst <= tolerance * fmaxf(scale, 1e-6f)) return;
  va_list arguments;
  va_start(arguments, what);
  fail(what, arguments);
  va_end(arguments);
  printf(": %g of %g over %lld values\n", worst, scale, (long long)n);
}

void expect_same(const void *got, const void *want, int64_t bytes, const char *what) {
  if (!memcmp(got, want, (size_t)bytes)) return;
  printf("FAIL %s: bytes differ\n", what);
  failures++;
}

const struct format formats[FORMATS] = {
    {GS_F32, "f32", 1, 4},       {GS_F16, "f16", 1, 2},       {GS_BF16, "bf16", 1, 2},     {GS_Q8_0, "q8_0", 32, 34},
    {GS_Q4_0, "q4_0", 32, 18},   {GS_Q4_1, "q4_1", 32, 20},   {GS_Q5_0, "q5_0", 32, 22},   {GS_Q5_1, "q5_1", 32, 24},
    {GS_Q4_K, "q4_k", 256, 144}, {GS_Q5_K, "q5_k", 256, 176}, {GS_Q6_K, "q6_k", 256, 210}, {GS_I8, "i8", 1, 1}};

int format_of(gs_dtype dtype) {
  int f = 0;
  while (formats[f].dtype != dtype) f++;
  return f;
}

/// A half in 0.5 ... 2 of either sign.
static uint16_t half(void) { return (uint16_t)((bits() & 0x8000) | 0x3800 | (bits() & 0x07ff)); }

gs_matrix matrix(int format, int64_t rows, int64_t cols) {
  const int64_t block = formats[format].block, bytes = formats[format].bytes;
  cols = (cols + block - 1) / block * block;
  const int64_t row_bytes = cols / block * bytes;
  uint8_t *data = room(rows * row_bytes);
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
