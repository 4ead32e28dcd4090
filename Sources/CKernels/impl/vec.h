// The vector type every kernel is written in. An isa_*.c file sets GS_VW (floats per vector) and the target attribute,
// then includes the kernels once; clang's vector extensions turn the same source into AVX2, AVX-512, NEON or scalar
// code, with multiplications and additions contracted into FMA where the target has it.
#ifndef GS_VW
#error "include from an isa_*.c file, which defines GS_VW"
#endif

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

#pragma clang fp contract(fast)

#define GS_INLINE static inline __attribute__((always_inline, unused))
#define GS_FN static __attribute__((unused))

typedef float vf __attribute__((ext_vector_type(GS_VW)));
typedef int32_t vi __attribute__((ext_vector_type(GS_VW)));
typedef uint32_t vu __attribute__((ext_vector_type(GS_VW)));
typedef float vf_unaligned __attribute__((ext_vector_type(GS_VW), aligned(4)));

GS_INLINE vf vf_load(const float *p) { return (vf) * (const vf_unaligned *)p; }
GS_INLINE void vf_store(float *p, vf v) { *(vf_unaligned *)p = v; }
GS_INLINE vf vf_set(float x) { return (vf)x; }
GS_INLINE vf vf_select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
GS_INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); }

/// The sum of the lanes, always in the same pairwise order.
GS_INLINE float vf_sum(vf v) {
  float lanes[GS_VW];
  memcpy(lanes, &v, sizeof lanes);
  for (int width = GS_VW / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

GS_INLINE float vf_max_lane(vf v) {
  float lanes[GS_VW];
  memcpy(lanes, &v, sizeof lanes);
  float best = lanes[0];
  for (int i = 1; i < GS_VW; i++) best = lanes[i] > best ? lanes[i] : best;
  return best;
}

GS_INLINE int64_t gs_min64(int64_t a, int64_t b) { return a < b ? a : b; }
GS_INLINE int64_t gs_max64(int64_t a, int64_t b) { return a > b ? a : b; }
GS_INLINE int64_t gs_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
