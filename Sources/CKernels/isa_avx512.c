// AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)
#define GS_VW 16
#define GS_ISA GS_AVX512
#define GS_ISA_NAME "avx512"
#define GS_TABLE gs_table_avx512
#include "impl/kernels.h"
#pragma clang attribute pop
#else
#include "CKernels.h"
// No table on other machines: dispatch.c does not refer to it.
typedef int gs_no_avx512_here;
#endif
