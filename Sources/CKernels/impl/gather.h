// Rows of a stored matrix by number: token embeddings, dictionary directions.
#ifndef GEMMASCOPE_IMPL_GATHER_H
#define GEMMASCOPE_IMPL_GATHER_H

#define GS_GATHER_ROWS 8

typedef struct gather_context {
  const gs_matrix *w;
  const int32_t *ids;
  int64_t n;
  float scale;
  float *out;
  int64_t ldo;
} gather_context;

GS_FN void gather_task(void *context, int64_t task, int worker) {
  (void)worker;
  const gather_context *job = context;
  const int64_t cols = job->w->cols;
  for (int64_t i = task * GS_GATHER_ROWS; i < gs_min64(job->n, (task + 1) * GS_GATHER_ROWS); i++) {
    float *out = job->out + i * job->ldo;
    widen(job->w, job->ids[i], 0, cols, out);
    // A product by one would be exact too; it is left out because most gathers want none.
    if (job->scale == 1.0f) continue;
    int64_t j = 0;
    for (; j + GS_VW <= cols; j += GS_VW) vf_store(out + j, vf_load(out + j) * job->scale);
    for (; j < cols; j++) out[j] *= job->scale;
  }
}

GS_FN void gather_rows(gs_pool *pool, const gs_matrix *w, const int32_t *ids, int64_t n, float scale, float *out,
                       int64_t ldo) {
  gather_context job = {w, ids, n, scale, out, ldo};
  gs_pool_run(pool, gs_ceil_div(n, GS_GATHER_ROWS), gather_task, &job);
}

#endif
