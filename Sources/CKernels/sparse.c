// The owner's end of a sparse code.
#include <stdlib.h>

#include "CKernels.h"

void gs_sparse_free(gs_sparse *code) {
  if (code == NULL) return;
  free(code->row_offsets);
  free(code->features);
  free(code->activations);
  *code = (gs_sparse){0};
}

void gs_columns_free(gs_columns *columns) {
  if (columns == NULL) return;
  free(columns->offsets);
  free(columns->tokens);
  free(columns->values);
  *columns = (gs_columns){0};
}
