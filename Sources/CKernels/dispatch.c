// Which function table this machine can run.
#include "CKernels.h"

extern const gs_kernels gs_table_scalar;
#if defined(__x86_64__)
extern const gs_kernels gs_table_avx2, gs_table_avx512;
#endif
#if defined(__aarch64__)
extern const gs_kernels gs_table_neon;
#endif

const gs_kernels *gs_kernels_for(gs_isa isa) {
  switch (isa) {
    case GS_SCALAR:
      return &gs_table_scalar;
#if defined(__x86_64__)
    case GS_AVX2:
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
                 ? &gs_table_avx2
                 : NULL;
    case GS_AVX512:
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("f16c")
                 ? &gs_table_avx512
                 : NULL;
#endif
#if defined(__aarch64__)
    case GS_NEON:
      return &gs_table_neon;
#endif
    default:
      return NULL;
  }
}

const gs_kernels *gs_kernels_best(void) {
  static const gs_isa fastest_first[] = {GS_AVX512, GS_AVX2, GS_NEON};
  for (unsigned i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++) {
    const gs_kernels *table = gs_kernels_for(fastest_first[i]);
    if (table) return table;
  }
  return gs_kernels_for(GS_SCALAR);
}
