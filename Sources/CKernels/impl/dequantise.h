// Stored weights to fp32: the block formats of GGUF, halves and int8 rows, widened 16 lanes at a time in registers.
//
// Every format is cut into blocks of 32 columns whose weights are  scale · q (+ shift)  with small whole q; the K
// formats keep eight such blocks under one header. Because scale · q fits in 24 bits for every format here, it is exact
// in fp32, and a fused multiply-add gives the bits of the format's definition (gguf-py's `dequantize`).
#ifndef GEMMASCOPE_IMPL_DEQUANTISE_H
#define GEMMASCOPE_IMPL_DEQUANTISE_H

// 16 lanes are several registers on most machines. No such value crosses a real call, so its calling convention, which
// clang warns about, does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8x32 __attribute__((ext_vector_type(32)));
typedef int8_t s8x16 __attribute__((ext_vector_type(16)));

GS_INLINE u8x16 load_bytes(const uint8_t *p) {
  u8x16 v;
  memcpy(&v, p, sizeof v);
  return v;
}
GS_INLINE f32x16 load16(const float *p) {
  f32x16 v;
  memcpy(&v, p, sizeof v);
  return v;
}
GS_INLINE void store16(float *p, f32x16 v) { memcpy(p, &v, sizeof v); }
GS_INLINE f32x16 whole16(u8x16 q) { return __builtin_convertvector(q, f32x16); }
GS_INLINE f32x16 signed16(u8x16 q) { return __builtin_convertvector((s8x16)q, f32x16); }

GS_INLINE f32x16 halves16(const uint8_t *p) {
#if GS_VW > 1
  typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));
  f16x16 v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, f32x16);
#else
  // Without conversion instructions: move the fields into place and correct the exponent by a product, which also
  // makes subnormals right; infinities and NaN keep a full exponent.
  u16x16 v;
  memcpy(&v, p, sizeof v);
  const u32x16 bits = __builtin_convertvector(v, u32x16);
  const u32x16 magnitude = (bits & 0x7fff) << 13;
  const f32x16 scaled = (f32x16)magnitude * 0x1p112f;
  const u32x16 special = (u32x16)(magnitude >= 0x0f800000) & 0x7f800000;
  return (f32x16)((u32x16)scaled | special | ((bits & 0x8000) << 16));
#endif
}
GS_INLINE float half_at(const uint8_t *p) {
#if GS_VW > 1
  _Float16 v;
  memcpy(&v, p, sizeof v);
  return (float)v;
#else
  uint16_t h;
  memcpy(&h, p, sizeof h);
  const uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
  float f;
  memcpy(&f, &magnitude, sizeof f);
  f *= 0x1p112f;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  bits |= (magnitude >= 0x0f800000 ? 0x7f800000u : 0) | (uint32_t)(h & 0x8000) << 16;
  memcpy(&f, &bits, sizeof f);
  return f;
#endif
}
GS_INLINE f32x16 bfloats16(const uint8_t *p) {
  u16x16 v;
  memcpy(&v, p, sizeof v);
  return (f32x16)(__builtin_convertvector(v, u32x16) << 16);
}
GS_INLINE float bfloat_at(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  const uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

// ---------------------------------------------------------------------------------------------------------------
// Formats. The functions below take `dtype` as a constant and shrink to its own case where they are inlined.

GS_INLINE int is_k_format(gs_dtype dtype) { return dtype == GS_Q4_K || dtype == GS_Q5_K || dtype == GS_Q6_K; }
GS_INLINE int is_block_format(gs_dtype dtype) { return dtype >= GS_Q8_0 && dtype <= GS_Q6_K; }
/// Whether weights have a shift besides the scale.
GS_INLINE int has_shift(gs_dtype dtype) {
  return dtype == GS_Q4_1 || dtype == GS_Q5_1 || dtype == GS_Q4_K || dtype == GS_Q5_K;
}
/// Blocks of 32 columns under one header.
GS_INLINE int blocks_per_unit(gs_dtype dtype) { return is_k_format(dtype) ? 8 : 1; }
/// Bytes of one header with its blocks; of 32 weights for the formats without headers.
GS_INLINE int64_t unit_bytes(gs_dtype dtype) {
  switch (dtype) {
    case GS_F32: return 128;
    case GS_F16: case GS_BF16: return 64;
    case GS_I8: return 32;
    case GS_Q8_0: return 34;
    case GS_Q4_0: return 18;
    case GS_Q4_1: return 20;
    case GS_Q5_0: return 22;
    case GS_Q5_1: return 24;
    case GS_Q4_K: return 144;
    case GS_Q5_K: return 176;
    case GS_Q6_K: return 210;
  }
  return 0;
}

/// What a unit's header says. K formats: scales of the eight blocks, then their shifts (Q6_K: sixteen scales, one for
/// each 16 columns). Others: the scale and the shift.
typedef struct unit_header {
  _Alignas(64) float scale[16];
} unit_header;

GS_INLINE void read_header(gs_dtype dtype, const uint8_t *unit, unit_header *header) {
  switch (dtype) {
    case GS_Q4_1: case GS_Q5_1:
      header->scale[0] = half_at(unit);
      header->scale[8] = half_at(unit + 2);
      break;
    case GS_Q4_K: case GS_Q5_K: {
      // Twelve bytes hold eight 6-bit scales and eight 6-bit minima: the first four of each whole, the others' low
      // four bits in the last word and their high two above the first.
      uint32_t word[3], field[4];
      memcpy(word, unit + 4, sizeof word);
      field[0] = word[0] & 0x3f3f3f3f;
      field[1] = (word[2] & 0x0f0f0f0f) | ((word[0] >> 2) & 0x30303030);
      field[2] = word[1] & 0x3f3f3f3f;
      field[3] = ((word[2] >> 4) & 0x0f0f0f0f) | ((word[1] >> 2) & 0x30303030);
      const float d = half_at(unit), low = -half_at(unit + 2);
      const f32x16 factor = {d, d, d, d, d, d, d, d, low, low, low, low, low, low, low, low};
      store16(header->scale, whole16(load_bytes((const uint8_t *)field)) * factor);
      break;
    }
    case GS_Q6_K:
      store16(header->scale, signed16(load_bytes(unit + 192)) * half_at(unit + 208));
      break;
    case GS_Q8_0: case GS_Q4_0: case GS_Q5_0:
      header->scale[0] = half_at(unit);
      break;
    default:
      break;
  }
}

/// The 32 nibbles of 16 bytes, low ones first.
GS_INLINE u8x32 nibbles(const uint8_t *p) {
  typedef uint16_t u16x8 __attribute__((ext_vector_type(8)));
  const u8x16 low = load_bytes(p), high = (u8x16)((u16x8)low >> 4);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31) & 15;
}

/// q with 16 added in the lanes whose bit is set in the 32 bits at p; less 16 where the sum is to be signed.
GS_INLINE u8x32 add_fifth_bits(const uint8_t *p, u8x32 q, int is_signed) {
  typedef uint32_t u32x8 __attribute__((ext_vector_type(8)));
  const u8x32 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                     1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint32_t bits;
  memcpy(&bits, p, sizeof bits);
  const u8x32 all = (u8x32)(u32x8)bits;
  const u8x32 spread = __builtin_shufflevector(all, all, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18,
                                               18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19);
#if GS_VW == 16
  // One masked addition.
  return is_signed ? ((spread & bit) == 0 ? q - (u8x32)16 : q) : ((spread & bit) != 0 ? q + (u8x32)16 : q);
#else
  // Taking 16 off a nibble sets its upper four bits.
  return q | (is_signed ? (u8x32)((spread & bit) == 0) & 0xf0 : (u8x32)((spread & bit) == bit) & 16);
#endif
}

/// What a bare q has too much: a dot product had better take it off a sum of x than off each weight.
GS_INLINE float bare_offset(gs_dtype dtype) { return dtype == GS_Q4_0 ? 8.0f : dtype == GS_Q6_K ? 32.0f : 0.0f; }

/// The 32 whole numbers q of a block (`index` within its unit) as floats; the weights themselves for formats without
/// blocks (GS_I8: without the row's scale). `bare`: before bare_offset is
/// taken off.
GS_INLINE void read_block(gs_dtype dtype, int bare, const uint8_t *unit, int index, f32x16 *first, f32x16 *second) {
  switch (dtype) {
    case GS_F32:
      *first = load16((const float *)unit);
      *second = load16((const float *)(unit + 64));
      return;
    case GS_F16:
      *first = halves16(unit);
      *second = halves16(unit + 32);
      return;
    case GS_BF16:
      *first = bfloats16(unit);
      *second = bfloats16(unit + 32);
      return;
    case GS_I8: case GS_Q8_0: {
      const uint8_t *q = unit + (dtype == GS_Q8_0 ? 2 : 0);
      *first = signed16(load_bytes(q));
      *second = signed16(load_bytes(q + 16));
      return;
    }
    case GS_Q4_0: {
      const u8x16 q = load_bytes(unit + 2);
      *first = bare ? whole16(q & 15) : signed16((q & 15) - (u8x16)8);
      *second = bare ? whole16(q >> 4) : signed16((q >> 4) - (u8x16)8);
      return;
    }
    case GS_Q4_1: {
      const u8x16 q = load_bytes(unit + 4);
      *first = whole16(q & 15);
      *second = whole16(q >> 4);
      return;
    }
    case GS_Q5_0: case GS_Q5_1: {
      const int is_signed = dtype == GS_Q5_0;
      const uint8_t *bits = unit + (is_signed ? 2 : 4);
      const u8x32 q = add_fifth_bits(bits, nibbles(bits + 4), is_signed);
      *first = is_signed ? signed16(q.lo) : whole16(q.lo);
      *second = is_signed ? signed16(q.hi) : whole16(q.hi);
      return;
    }
    case GS_Q4_K: case GS_Q5_K: {
      const uint8_t *q = unit + (dtype == GS_Q4_K ? 16 : 48) + index / 2 * 32;
      u8x16 a = load_bytes(q), b = load_bytes(q + 16);
      a = index % 2 ? a >> 4 : a & 15;
      b = index % 2 ? b >> 4 : b & 15;
      if (dtype == GS_Q5_K) {
        const u8x16 high_a = load_bytes(unit + 16), high_b = load_bytes(unit + 32);
        a |= index < 4 ? (high_a << (4 - index)) & 16 : (high_a >> (index - 4)) & 16;
        b |= index < 4 ? (high_b << (4 - index)) & 16 : (high_b >> (index - 4)) & 16;
      }
      *first = whole16(a);
      *second = whole16(b);
      return;
    }
    case GS_Q6_K: {
      const int part = index % 4;
      const uint8_t *q = unit + index / 4 * 64 + part % 2 * 32, *high = unit + 128 + index / 4 * 32;
      u8x16 a = load_bytes(q), b = load_bytes(q + 16);
      a = part / 2 ? a >> 4 : a & 15;
      b = part / 2 ? b >> 4 : b & 15;
      const u8x16 high_a = load_bytes(high), high_b = load_bytes(high + 16);
      a |= part < 2 ? (high_a << (4 - 2 * part)) & 48 : (high_a >> (2 * part - 4)) & 48;
      b |= part < 2 ? (high_b << (4 - 2 * part)) & 48 : (high_b >> (2 * part - 4)) & 48;
      *first = bare ? whole16(a) : signed16(a - (u8x16)32);
      *second = bare ? whole16(b) : signed16(b - (u8x16)32);
      return;
    }
  }
}

/// The 32 weights of a block.
GS_INLINE void read_weights(gs_dtype dtype, const uint8_t *unit, const unit_header *header, int index, f32x16 *first,
                            f32x16 *second) {
  read_block(dtype, 0, unit, index, first, second);
  if (!is_block_format(dtype)) return;
  if (dtype == GS_Q6_K) {
    *first *= header->scale[2 * index];
    *second *= header->scale[2 * index + 1];
  } else if (has_shift(dtype)) {
    *first = *first * header->scale[index] + header->scale[8 + index];
    *second = *second * header->scale[index] + header->scale[8 + index];
  } else {
    *first *= header->scale[0];
    *second *= header->scale[0];
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Widening

/// One weight of a row in a format without blocks (GS_I8: without the row's scale).
GS_INLINE float weight_at(gs_dtype dtype, const uint8_t *row, int64_t col) {
  float value = 0.0f;
  if (dtype == GS_F32) memcpy(&value, row + 4 * col, sizeof value);
  if (dtype == GS_F16) value = half_at(row + 2 * col);
  if (dtype == GS_BF16) value = bfloat_at(row + 2 * col);
  if (dtype == GS_I8) value = (float)(int8_t)row[col];
  return value;
}

GS_INLINE void widen_as(gs_dtype dtype, const uint8_t *row, float row_scale, int64_t col, int64_t count, float *out) {
  const int64_t bytes = unit_bytes(dtype), end = col + count;
  unit_header header;
  f32x16 first, second;
  if (is_k_format(dtype)) {
    while (col < end) {
      const uint8_t *unit = row + col / 256 * bytes;
      const int from = (int)(col % 256 / 32), to = (int)gs_min64(8, from + (end - col) / 32);
      read_header(dtype, unit, &header);
      if (from == 0 && to == 8) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
          read_weights(dtype, unit, &header, i, &first, &second);
          store16(out + 32 * i, first);
          store16(out + 32 * i + 16, second);
        }
      } else {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
          if (i < from || i >= to) continue;
          read_weights(dtype, unit, &header, i, &first, &second);
          store16(out + 32 * (i - from), first);
          store16(out + 32 * (i - from) + 16, second);
        }
      }
      out += 32 * (to - from);
      col += 32 * (to - from);
    }
    return;
  }
  for (; col + 32 <= end; col += 32, out += 32) {
    const uint8_t *unit = row + col / 32 * bytes;
    read_header(dtype, unit, &header);
    read_weights(dtype, unit, &header, 0, &first, &second);
    if (dtype == GS_I8) first *= row_scale, second *= row_scale;
    store16(out, first);
    store16(out + 16, second);
  }
  for (; col < end; col++, out++) *out = weight_at(dtype, row, col) * row_scale;
}

/// Widens `count` weights of a row, from column `col`, to fp32. `col` is a multiple of 32; `count` is one too, or
/// reaches the row's end.
GS_FN void widen(const gs_matrix *w, int64_t row, int64_t col, int64_t count, float *out) {
  const uint8_t *bytes = (const uint8_t *)w->data + row * w->row_bytes;
  const float scale = w->row_scale ? w->row_scale[row] : 1.0f;
#define GS_WIDEN(DTYPE)                                 \
  case DTYPE:                                           \
    widen_as(DTYPE, bytes, scale, col, count, out); \
    return;
  switch (w->dtype) {
    GS_WIDEN(GS_F32)
    GS_WIDEN(GS_F16)
    GS_WIDEN(GS_BF16)
    GS_WIDEN(GS_Q8_0)
    GS_WIDEN(GS_Q4_0)
    GS_WIDEN(GS_Q4_1)
    GS_WIDEN(GS_Q5_0)
    GS_WIDEN(GS_Q5_1)
    GS_WIDEN(GS_Q4_K)
    GS_WIDEN(GS_Q5_K)
    GS_WIDEN(GS_Q6_K)
    GS_WIDEN(GS_I8)
  }
#undef GS_WIDEN
}

#endif
