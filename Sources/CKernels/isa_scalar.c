// One lane: plain C for any machine, and the yardstick the vector tables are tested against.
#define GS_VW 1
#define GS_ISA GS_SCALAR
#define GS_ISA_NAME "scalar"
#define GS_TABLE gs_table_scalar
#include "impl/kernels.h"
