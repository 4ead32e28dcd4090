// AVX2 with FMA and half-precision conversion.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define GS_VW 8
#define GS_ISA GS_AVX2
#define GS_ISA_NAME "avx2"
#define GS_TABLE gs_table_avx2
#include "impl/kernels.h"
#pragma clang attribute pop
#else
#include "CKernels.h"
// No table on other machines: dispatch.c does not refer to it.
typedef int gs_no_avx2_here;
#endif
