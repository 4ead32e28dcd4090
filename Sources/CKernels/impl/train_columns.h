// From pairs by token to pairs by feature: a counting sort whose blocks of tokens are counted and placed side by side.
#ifndef GEMMASCOPE_IMPL_TRAIN_COLUMNS_H
#define GEMMASCOPE_IMPL_TRAIN_COLUMNS_H

/// Blocks of tokens at most, and tokens in one at least.
#define GS_COLUMN_BLOCKS 16
#define GS_COLUMN_ROWS 64

typedef struct columns_context {
  int64_t rows, width, blocks;
  const int64_t *row_offsets;
  const int32_t *features;
  const float *values;
  int64_t *cursors;  ///< [blocks, width]
  gs_columns *out;
} columns_context;

GS_INLINE int64_t columns_entry(const columns_context *c, int64_t block) {
  return c->row_offsets[c->rows * block / c->blocks];
}

GS_FN void columns_count_task(void *context, int64_t block, int worker) {
  (void)worker;
  const columns_context *c = context;
  int64_t *counts = c->cursors + block * c->width;
  for (int64_t e = columns_entry(c, block); e < columns_entry(c, block + 1); e++) counts[c->features[e]]++;
}

GS_FN void columns_place_task(void *context, int64_t block, int worker) {
  (void)worker;
  const columns_context *c = context;
  int64_t *cursors = c->cursors + block * c->width;
  for (int64_t row = c->rows * block / c->blocks; row < c->rows * (block + 1) / c->blocks; row++)
    for (int64_t e = c->row_offsets[row]; e < c->row_offsets[row + 1]; e++) {
      const int64_t at = cursors[c->features[e]]++;
      c->out->tokens[at] = (int32_t)row;
      c->out->values[at] = c->values[e];
    }
}

GS_FN int train_columns(gs_pool *pool, int64_t rows, int64_t width, const int64_t *row_offsets,
                        const int32_t *features, const float *values, gs_columns *out) {
  const size_t count = (size_t)gs_max64(1, row_offsets[rows]);
  *out = (gs_columns){.width = width,
                      .offsets = malloc(((size_t)width + 1) * sizeof *out->offsets),
                      .tokens = malloc(count * sizeof *out->tokens),
                      .values = malloc(count * sizeof *out->values)};
  columns_context job = {.rows = rows,
                         .width = width,
                         .blocks = gs_max64(1, gs_min64(GS_COLUMN_BLOCKS, rows / GS_COLUMN_ROWS)),
                         .row_offsets = row_offsets,
                         .features = features,
                         .values = values,
                         .out = out};
  job.cursors = calloc((size_t)(job.blocks * width) + 1, sizeof *job.cursors);
  const int found = out->offsets && out->tokens && out->values && job.cursors;
  if (found) {
    gs_pool_run(pool, job.blocks, columns_count_task, &job);
    int64_t next = 0;
    for (int64_t i = 0; i < width; i++) {
      out->offsets[i] = next;
      for (int64_t b = 0; b < job.blocks; b++) {
        const int64_t entries = job.cursors[b * width + i];
        job.cursors[b * width + i] = next;
        next += entries;
      }
    }
    out->offsets[width] = next;
    gs_pool_run(pool, job.blocks, columns_place_task, &job);
  }
  free(job.cursors);
  if (!found) gs_columns_free(out);
  return found ? GS_OK : GS_OUT_OF_MEMORY;
}

#endif
