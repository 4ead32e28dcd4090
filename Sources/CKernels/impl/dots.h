// Dot products of stored rows with a few fp32 vectors, widened in registers: the inner loops of a decode step.
//
// Rows are read one after another: several at once would be several short runs of memory, which the processor's
// prefetching does not keep up with. With one vector, the scale of a block multiplies the block's sum, not its weights;
// several vectors share weights that are scaled once.
#ifndef GEMMASCOPE_IMPL_DOTS_H
#define GEMMASCOPE_IMPL_DOTS_H

typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef float f32x8 __attribute__((ext_vector_type(8)));

/// In memory, a scale is spread over the lanes by the load that fetches it; in registers it would take a shuffle.
#define GS_KEEP_IN_MEMORY(array) __asm__ volatile("" : : "r"(array) : "memory")

GS_INLINE float sum16(f32x16 v) {
  const f32x16 a = v + v.s89abcdefcdefcdef;
  const f32x16 b = a + a.s4567456745674567;
  const f32x16 c = b + b.s2323232323232323;
  return c[0] + c[1];
}

/// Halves at four places.
GS_INLINE f32x4 four_halves(const uint8_t *const *p, int offset) {
#if GS_VW > 1
  typedef _Float16 f16x4 __attribute__((ext_vector_type(4)));
  uint64_t bits = 0;
#pragma clang loop unroll(full)
  for (int r = 0; r < 4; r++) {
    uint16_t half;
    memcpy(&half, p[r] + offset, sizeof half);
    bits |= (uint64_t)half << (16 * r);
  }
  f16x4 v;
  memcpy(&v, &bits, sizeof v);
  return __builtin_convertvector(v, f32x4);
#else
  return (f32x4){half_at(p[0] + offset), half_at(p[1] + offset), half_at(p[2] + offset), half_at(p[3] + offset)};
#endif
}

/// x · w[row] over k inputs. `sums` and `halves` are the sums of x over its whole blocks of 32 and of 16. `dtype` is a
/// constant wherever this is inlined.
GS_INLINE float dot_one(gs_dtype dtype, const gs_matrix *w, int64_t row, int64_t k, const float *x, const float *sums,
                        const float *halves) {
  const int64_t blocks = k / 32, bytes = unit_bytes(dtype);
  const float offset = bare_offset(dtype);
  const uint8_t *start = (const uint8_t *)w->data + row * w->row_bytes;
  // Four sums, so that no addition waits for the one before it.
  f32x16 total[4] = {(f32x16)0.0f, (f32x16)0.0f, (f32x16)0.0f, (f32x16)0.0f};
  f32x8 shift = (f32x8)0.0f;
  unit_header header;
  int64_t b = 0;
  if (is_k_format(dtype)) {
#pragma clang loop unroll(disable)
    for (; b + 8 <= blocks; b += 8) {
      const uint8_t *unit = start + b / 8 * bytes;
      read_header(dtype, unit, &header);
      if (dtype == GS_Q6_K) total[0] -= load16(header.scale) * (load16(halves + 2 * b) * offset);
      GS_KEEP_IN_MEMORY(header.scale);
#pragma clang loop unroll(full)
      for (int i = 0; i < 8; i++) {
        f32x16 first, second;
        read_block(dtype, 1, unit, i, &first, &second);
        const f32x16 x0 = load16(x + 32 * (b + i)), x1 = load16(x + 32 * (b + i) + 16);
        if (dtype == GS_Q6_K)
          total[i % 4] += first * x0 * header.scale[2 * i], total[i % 4] += second * x1 * header.scale[2 * i + 1];
        else
          total[i % 4] += (first * x0 + second * x1) * header.scale[i];
      }
      if (has_shift(dtype)) {
        f32x8 low, sum;
        memcpy(&low, header.scale + 8, sizeof low);
        memcpy(&sum, sums + b, sizeof sum);
        shift += low * sum;
      }
    }
  } else {
#pragma clang loop unroll(disable)
    for (; b + 4 <= blocks; b += 4) {
      const uint8_t *unit[4];
      _Alignas(16) float scale[4];
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; i++) unit[i] = start + (b + i) * bytes;
      if (is_block_format(dtype)) {
        const f32x4 four = four_halves(unit, 0);
        memcpy(scale, &four, sizeof scale);
        GS_KEEP_IN_MEMORY(scale);
        f32x4 sum;
        memcpy(&sum, sums + b, sizeof sum);
        if (has_shift(dtype)) shift.lo += four_halves(unit, 2) * sum;
        if (offset != 0.0f) shift.lo -= four * (sum * offset);
      }
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; i++) {
        f32x16 first, second;
        read_block(dtype, 1, unit[i], 0, &first, &second);
        const f32x16 x0 = load16(x + 32 * (b + i)), x1 = load16(x + 32 * (b + i) + 16);
        if (is_block_format(dtype))
          total[i] += (first * x0 + second * x1) * scale[i];
        else
          total[i] += first * x0, total[i] += second * x1;
      }
    }
    for (; b < blocks; b++) {
      f32x16 first, second;
      read_header(dtype, start + b * bytes, &header);
      read_weights(dtype, start + b * bytes, &header, 0, &first, &second);
      total[0] += first * load16(x + 32 * b), total[0] += second * load16(x + 32 * b + 16);
    }
  }
  total[0] += total[1];
  total[2] += total[3];
  total[0] += total[2];
  if (has_shift(dtype) || offset != 0.0f) total[0].lo += shift;
  float sum = sum16(total[0]);
  for (int64_t p = 32 * b; p < k; p++) sum += weight_at(dtype, start, p) * x[p];
  return dtype == GS_I8 ? sum * w->row_scale[row] : sum;
}

/// y[i · stride] = x[i] · w[row] over k inputs for i < m (2 ... 4). `dtype` and `m` are constants wherever this is
/// inlined.
GS_INLINE void dot_few(gs_dtype dtype, const int m, const gs_matrix *w, int64_t row, int64_t k, const float *x,
                       int64_t ldx, float *y, int64_t stride) {
  const int per_unit = blocks_per_unit(dtype);
  const int64_t units = k / (32 * per_unit), bytes = unit_bytes(dtype);
  const uint8_t *start = (const uint8_t *)w->data + row * w->row_bytes;
  f32x16 even[4], odd[4];
#pragma clang loop unroll(full)
  for (int i = 0; i < m; i++) even[i] = odd[i] = (f32x16)0.0f;
#pragma clang loop unroll(disable)
  for (int64_t u = 0; u < units; u++) {
    const uint8_t *unit = start + u * bytes;
    const float *at = x + u * 32 * per_unit;
    unit_header header;
    read_header(dtype, unit, &header);
    if (is_k_format(dtype)) GS_KEEP_IN_MEMORY(header.scale);
#pragma clang loop unroll(full)
    for (int b = 0; b < per_unit; b++) {
      f32x16 first, second;
      read_weights(dtype, unit, &header, b, &first, &second);
#pragma clang loop unroll(full)
      for (int i = 0; i < m; i++) {
        even[i] += first * load16(at + i * ldx + 32 * b);
        odd[i] += second * load16(at + i * ldx + 32 * b + 16);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < m; i++) {
    float sum = sum16(even[i] + odd[i]);
    for (int64_t p = units * 32 * per_unit; p < k; p++) sum += weight_at(dtype, start, p) * x[i * ldx + p];
    y[i * stride] = dtype == GS_I8 ? sum * w->row_scale[row] : sum;
  }
}

// ---------------------------------------------------------------------------------------------------------------
// All formats

/// Few vectors of k floats as the dot products want them. Each has a record of `each` floats: the vector itself, on a
/// cache line's border; its sums over blocks of 32; those over blocks of 16.
typedef struct dot_inputs {
  const float *records;
  int64_t m, k, each;
} dot_inputs;

/// Where the sums stand in a record.
GS_INLINE int64_t dot_inputs_sums(int64_t k) { return (k + 15) / 16 * 16; }
GS_INLINE int64_t dot_inputs_halves(int64_t k) { return dot_inputs_sums(k) + (k / 32 + 15) / 16 * 16; }
/// Floats of one record.
GS_INLINE int64_t dot_inputs_each(int64_t k) { return dot_inputs_halves(k) + (k / 16 + 15) / 16 * 16; }

/// Fills `memory`, m · dot_inputs_each(k) floats, with the records of x.
GS_INLINE dot_inputs dot_inputs_make(const float *x, int64_t ldx, int64_t m, int64_t k, float *memory) {
  const dot_inputs in = {memory, m, k, dot_inputs_each(k)};
  for (int64_t i = 0; i < m; i++) {
    float *to = memory + i * in.each, *sums = to + dot_inputs_sums(k), *halves = to + dot_inputs_halves(k);
    memcpy(to, x + i * ldx, (size_t)k * sizeof(float));
    for (int64_t b = 0; b < k / 16; b++) halves[b] = sum16(load16(to + 16 * b));
    for (int64_t b = 0; b < k / 32; b++) sums[b] = halves[2 * b] + halves[2 * b + 1];
  }
  return in;
}

/// y[i · stride + r] = x[first + i] · w[row + r] for i < m (1 ... 4), r < rows. `dtype` is a constant wherever this is
/// inlined.
GS_INLINE void dots_as(gs_dtype dtype, const gs_matrix *w, int64_t row, int64_t rows, const dot_inputs *in,
                       int64_t first, int64_t m, float *y, int64_t stride) {
  const int64_t k = in->k;
  const float *x = in->records + first * in->each;
  if (m == 1)
    for (int64_t r = 0; r < rows; r++)
      y[r] = dot_one(dtype, w, row + r, k, x, x + dot_inputs_sums(k), x + dot_inputs_halves(k));
  if (m == 2)
    for (int64_t r = 0; r < rows; r++) dot_few(dtype, 2, w, row + r, k, x, in->each, y + r, stride);
  if (m == 3)
    for (int64_t r = 0; r < rows; r++) dot_few(dtype, 3, w, row + r, k, x, in->each, y + r, stride);
  if (m == 4)
    for (int64_t r = 0; r < rows; r++) dot_few(dtype, 4, w, row + r, k, x, in->each, y + r, stride);
}

typedef void (*dots_function)(const gs_matrix *w, int64_t row, int64_t rows, const dot_inputs *in, int64_t first,
                              int64_t m, float *y, int64_t stride);

#define GS_DOTS(DTYPE)                                                                                        \
  GS_FN void dots_##DTYPE(const gs_matrix *w, int64_t row, int64_t rows, const dot_inputs *in, int64_t first, \
                          int64_t m, float *y, int64_t stride) {                                              \
    dots_as(DTYPE, w, row, rows, in, first, m, y, stride);                                                    \
  }
GS_DOTS(GS_F32)
GS_DOTS(GS_F16)
GS_DOTS(GS_BF16)
GS_DOTS(GS_Q8_0)
GS_DOTS(GS_Q4_0)
GS_DOTS(GS_Q4_1)
GS_DOTS(GS_Q5_0)
GS_DOTS(GS_Q5_1)
GS_DOTS(GS_Q4_K)
GS_DOTS(GS_Q5_K)
GS_DOTS(GS_Q6_K)
GS_DOTS(GS_I8)
#undef GS_DOTS

static const dots_function dots_of_dtype[] = {
    [GS_F32] = dots_GS_F32,   [GS_F16] = dots_GS_F16,   [GS_BF16] = dots_GS_BF16, [GS_Q8_0] = dots_GS_Q8_0,
    [GS_Q4_0] = dots_GS_Q4_0, [GS_Q4_1] = dots_GS_Q4_1, [GS_Q5_0] = dots_GS_Q5_0, [GS_Q5_1] = dots_GS_Q5_1,
    [GS_Q4_K] = dots_GS_Q4_K, [GS_Q5_K] = dots_GS_Q5_K, [GS_Q6_K] = dots_GS_Q6_K, [GS_I8] = dots_GS_I8,
};

/// y[i · stride + r] = x[i] · w[row + r] for every input vector i and r < rows.
GS_INLINE void dots(const gs_matrix *w, int64_t row, int64_t rows, const dot_inputs *in, float *y, int64_t stride) {
  for (int64_t i = 0; i < in->m; i += 4)
    dots_of_dtype[w->dtype](w, row, rows, in, i, gs_min64(4, in->m - i), y + i * stride, stride);
}

#endif
