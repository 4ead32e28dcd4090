// JumpReLU encoding (Rajamanoharan et al. 2024): a product whose outputs are compared with their thresholds while they
// are in cache. Each task appends what survives to its own list; the lists are then laid end to end as one CSR. Memory
// follows the number of survivors, never rows × width.
#ifndef GEMMASCOPE_IMPL_ENCODE_H
#define GEMMASCOPE_IMPL_ENCODE_H

typedef struct encode_entry {
  int32_t row, feature;  ///< the row counts from the first of the packed rows
  float activation;
} encode_entry;

typedef struct encode_list {
  encode_entry *entries;
  int64_t count, capacity;
} encode_list;

typedef struct encode_context {
  const gs_encode *encode;
  gemm_grid grid;
  int64_t first, m;     ///< the rows of this round
  const float *packed;  ///< NULL for few rows, which are not packed
  dot_inputs inputs;    ///< few rows
  float *scratch;
  int64_t scratch_each;
  encode_list *lists;  ///< one per task
  _Atomic int failed;
  gs_sparse *out;
  int64_t *cursor;  ///< where the next entry of each row goes
} encode_context;

/// Room for `more` entries at the end of the list; 0 when there is no memory.
GS_INLINE int encode_reserve(encode_list *list, int64_t more) {
  if (list->count + more <= list->capacity) return 1;
  const int64_t capacity = gs_max64(list->count + more, 2 * list->capacity);
  encode_entry *entries = realloc(list->entries, (size_t)capacity * sizeof *entries);
  if (entries == NULL) return 0;
  list->entries = entries;
  list->capacity = capacity;
  return 1;
}

/// Appends the survivors of z[rows, n], whose corner is (row, j). Returns 0 when there is no memory.
GS_FN int encode_keep(const gs_encode *e, int64_t row, int64_t j, int64_t rows, int64_t n, const float *z,
                      int64_t stride, encode_list *list) {
  for (int64_t r = 0; r < rows; r++, z += stride) {
    if (!encode_reserve(list, n)) return 0;
    encode_entry *to = list->entries + list->count;
    int64_t q = 0;
    for (; q + GS_VW <= n; q += GS_VW) {
      const vf value = vf_load(z + q);
      const vf limit = e->threshold ? vf_load(e->threshold + j + q) : vf_set(0.0f);
      const vi kept = (value > limit) & (value > 0.0f);
#if GS_VW > 1
      if (!__builtin_reduce_or(kept)) continue;
#endif
      for (int lane = 0; lane < GS_VW; lane++)
        if (kept[lane]) *to++ = (encode_entry){(int32_t)(row + r), (int32_t)(j + q + lane), z[q + lane]};
    }
    for (; q < n; q++)
      if (z[q] > 0.0f && z[q] > (e->threshold ? e->threshold[j + q] : 0.0f))
        *to++ = (encode_entry){(int32_t)(row + r), (int32_t)(j + q), z[q]};
    list->count = to - list->entries;
  }
  return 1;
}

GS_FN void encode_task(void *context, int64_t task, int worker) {
  encode_context *job = context;
  const gs_encode *e = job->encode;
  const int64_t strip = job->grid.strip, round = job->packed ? round_rows(e->d) : job->m;
  const int64_t j = task % job->grid.strips * strip, n = gs_min64(strip, e->width - j);
  const int64_t start = task / job->grid.strips * job->grid.block, end = gs_min64(start + job->grid.block, job->m);
  float *z = job->scratch + worker * job->scratch_each, *spare = z + round * strip;
  const float *bias = e->bias ? e->bias + j : NULL;
  for (int64_t i = start; i < end; i += round) {
    const int64_t rows = gs_min64(round, end - i);
    if (job->packed) {
      strip_product(job->packed, job->m, e->d, i, rows, &e->w, e->layout, j, n, z, strip, bias, 0, i > start, spare);
    } else {
      const float *x = e->x + (job->first + i) * e->ldx;
      if (e->layout == GS_ROWS_ARE_OUTPUTS)
        dots(&e->w, j, n, &job->inputs, z, strip);
      else
        sum_rows(&e->w, j, n, e->d, rows, x, e->ldx, z, strip, spare);
      for (int64_t r = 0; bias && r < rows; r++)
        for (int64_t q = 0; q < n; q++) z[r * strip + q] += bias[q];
    }
    if (!encode_keep(e, i, j, rows, n, z, strip, &job->lists[task])) {
      atomic_store(&job->failed, 1);
      return;
    }
  }
}

/// Moves the lists of one block of rows to their places; no other block has entries in these rows.
GS_FN void encode_place_task(void *context, int64_t block, int worker) {
  (void)worker;
  encode_context *job = context;
  for (int64_t s = 0; s < job->grid.strips; s++) {
    const encode_list *list = &job->lists[block * job->grid.strips + s];
    for (int64_t i = 0; i < list->count; i++) {
      const encode_entry entry = list->entries[i];
      const int64_t at = job->cursor[entry.row]++;
      job->out->features[at] = entry.feature;
      job->out->activations[at] = entry.activation;
    }
  }
}

/// Appends the round's lists to the code; 0 when there is no memory.
GS_FN int encode_append(gs_pool *pool, encode_context *job) {
  gs_sparse *out = job->out;
  int64_t *offsets = out->row_offsets + job->first;
  for (int64_t i = 0; i < job->m; i++) offsets[i + 1] = 0;
  for (int64_t t = 0; t < job->grid.strips * job->grid.blocks; t++)
    for (int64_t i = 0; i < job->lists[t].count; i++) offsets[job->lists[t].entries[i].row + 1]++;
  for (int64_t i = 0; i < job->m; i++) {
    job->cursor[i] = offsets[i];
    offsets[i + 1] += offsets[i];
  }
  const size_t total = (size_t)gs_max64(1, offsets[job->m]);
  int32_t *features = realloc(out->features, total * sizeof *features);
  if (features == NULL) return 0;
  out->features = features;
  float *activations = realloc(out->activations, total * sizeof *activations);
  if (activations == NULL) return 0;
  out->activations = activations;
  gs_pool_run(pool, job->grid.blocks, encode_place_task, job);
  return 1;
}

/// Columns per task for few rows.
GS_INLINE int64_t encode_columns(const gs_encode *e) {
  return e->layout == GS_ROWS_ARE_OUTPUTS ? rows_per_task(&e->w, e->width) : columns_per_task(e->m, e->width);
}

/// Encodes rows first ..< first + m; `scratch` holds `shared` floats for the packed rows or the inputs of
/// dot products, then `each` for every thread.
GS_FN int encode_round(gs_pool *pool, const gs_encode *e, int64_t first, int64_t m, float *scratch, int64_t shared,
                       int64_t each, gs_sparse *out) {
  encode_context job = {.encode = e,
                        .grid = grid_of(m, e->width, widest_strip(e->d), highest_block(e->d)),
                        .first = first,
                        .m = m,
                        .scratch = scratch + shared,
                        .scratch_each = each,
                        .out = out};
  if (e->m <= GS_FEW_ROWS) {
    job.grid.strip = encode_columns(e);
    job.grid.strips = gs_ceil_div(e->width, job.grid.strip);
  }
  const int64_t tasks = job.grid.strips * job.grid.blocks;
  job.lists = calloc((size_t)tasks, sizeof *job.lists);
  job.cursor = malloc((size_t)m * sizeof *job.cursor);
  int status = GS_OUT_OF_MEMORY;
  if (job.lists != NULL && job.cursor != NULL) {
    const float *x = e->x + first * e->ldx;
    if (e->m > GS_FEW_ROWS) {
      pack_all_rows(pool, x, e->ldx, m, e->d, scratch);
      job.packed = scratch;
    } else if (e->layout == GS_ROWS_ARE_OUTPUTS) {
      job.inputs = dot_inputs_make(x, e->ldx, m, e->d, scratch);
    }
    gs_pool_run(pool, tasks, encode_task, &job);
    if (!atomic_load(&job.failed) && encode_append(pool, &job)) status = GS_OK;
  }
  for (int64_t t = 0; job.lists != NULL && t < tasks; t++) free(job.lists[t].entries);
  free(job.lists);
  free(job.cursor);
  return status;
}

GS_FN int encode(gs_pool *pool, const gs_encode *e, gs_sparse *out) {
  *out = (gs_sparse){.rows = e->m};
  const int64_t rows = gs_max64(0, e->m);
  out->row_offsets = calloc((size_t)rows + 1, sizeof *out->row_offsets);
  out->features = malloc(sizeof *out->features);
  out->activations = malloc(sizeof *out->activations);
  const int few = e->m <= GS_FEW_ROWS;
  const int64_t widest = widest_strip(e->d);
  const int64_t most = few ? rows : packed_rows(rows, e->d);
  const int64_t shared = few ? rows * dot_inputs_each(e->d) : round16(most * e->d);
  const int64_t each = few ? round16((rows + 4) * encode_columns(e))
                           : round16(round_rows(e->d) * widest + strip_scratch(widest, e->d));
  float *scratch = gs_pool_borrow(pool, shared + each * gs_pool_threads(pool));
  int status = out->row_offsets && out->features && out->activations && scratch ? GS_OK : GS_OUT_OF_MEMORY;
  for (int64_t first = 0; status == GS_OK && e->width > 0 && first < rows; first += most)
    status = encode_round(pool, e, first, gs_min64(most, rows - first), scratch, shared, each, out);
  gs_pool_return(pool, scratch);
  if (status != GS_OK) gs_sparse_free(out);
  return status;
}

#endif
