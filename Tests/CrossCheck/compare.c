// Compares the fastest kernel table of the machine it runs on with the scalar one, over seeded random shapes: how an
// instruction set is tested for which there is no Swift on the test machine (scripts/neon.sh runs it under qemu).
#include <stdio.h>

#include "support.h"

int main(void) {
  fast = gs_kernels_best();
  slow = gs_kernels_for(GS_SCALAR);
  pool = gs_pool_create(2);
  if (!pool) return 2;
  printf("%s against %s\n", fast->name, slow->name);
  if (fast == slow) return printf("there is nothing to compare on this machine\n"), 2;
  compare_rows();
  compare_dense();
  compare_attention();
  compare_sparse();
  compare_training();
  gs_pool_destroy(pool);
  printf(failures ? "%d comparisons failed\n" : "all agree\n", failures);
  return failures ? 1 : 0;
}
