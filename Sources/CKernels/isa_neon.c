// NEON on 64-bit Arm.
#if defined(__aarch64__)
#define GS_VW 4
#define GS_ISA GS_NEON
#define GS_ISA_NAME "neon"
#define GS_TABLE gs_table_neon
#include "impl/kernels.h"
#else
#include "CKernels.h"
// No table on other machines: dispatch.c does not refer to it.
typedef int gs_no_neon_here;
#endif
