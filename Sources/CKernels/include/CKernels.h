// The C kernels of gemmascope: one function table per instruction set, chosen at run time.
//
// Conventions
// - Matrices are row-major; `ld*` counts elements between rows of fp32 arrays.
// - Arithmetic is fp32. Weights stay in their stored format and are widened in registers or per tile.
// - Every function gives the same bits for any number of threads: work is cut by shape alone, and every reduction has
//   a fixed order.
// - Functions return GS_OK or GS_OUT_OF_MEMORY. They trust their arguments: shapes are checked by the Swift callers.
#ifndef GEMMASCOPE_CKERNELS_H
#define GEMMASCOPE_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { GS_OK = 0, GS_OUT_OF_MEMORY = 1 };

// ---------------------------------------------------------------------------------------------------------------
// Thread pool

/// Worker threads that share the caller's work. Any thread may use a pool; calls from several threads take turns.
typedef struct gs_pool gs_pool;

/// One task: `task` is its number, `worker` (0 ..< threads) is the thread that runs it.
typedef void (*gs_task)(void *context, int64_t task, int worker);

/// A pool of `threads` threads in all, the caller included (at least 1). NULL when memory or threads run out.
gs_pool *gs_pool_create(int threads);
/// Ends the threads and frees the pool, which must be idle: no call that was given it may still be running.
void gs_pool_destroy(gs_pool *pool);
/// Threads in all, the caller included.
int gs_pool_threads(const gs_pool *pool);
/// Runs tasks 0 ..< count, in any order, on the pool and the calling thread; returns when all have ended. A task must
/// not call this function.
void gs_pool_run(gs_pool *pool, int64_t count, gs_task task, void *context);

/// Cores that this process may be scheduled on (its affinity mask where the system has one), at least 1.
int gs_schedulable_processors(void);
/// Writes the numbers of those cores, at most `capacity`, and returns how many; 0 ..< their count where the system has no
/// affinity masks.
int gs_list_processors(int32_t *ids, int capacity);

// ---------------------------------------------------------------------------------------------------------------
// Matrices

typedef enum gs_dtype {
  GS_F32 = 0,
  GS_F16 = 1,
  GS_BF16 = 2,
  GS_Q8_0 = 3,
  GS_Q4_0 = 4,
  GS_Q4_1 = 5,
  GS_Q5_0 = 6,
  GS_Q5_1 = 7,
  GS_Q4_K = 8,
  GS_Q5_K = 9,
  GS_Q6_K = 10,
  GS_I8 = 11,  ///< int8 times an fp32 scale per row (`row_scale`)
} gs_dtype;

/// A stored matrix of `rows` × `cols`. Quantised rows are whole blocks (cols is a multiple of the block size).
typedef struct gs_matrix {
  const void *data;
  gs_dtype dtype;
  int64_t rows, cols;
  int64_t row_bytes;       ///< bytes from one row to the next
  const float *row_scale;  ///< GS_I8 only: one scale per row; otherwise NULL
} gs_matrix;

/// How a stored matrix takes part in x·W.
typedef enum gs_layout {
  GS_ROWS_ARE_OUTPUTS = 0,  ///< stored [n, k] (a Linear layer): y = x Wᵀ
  GS_ROWS_ARE_INPUTS = 1,   ///< stored [k, n] (a dictionary, or a Linear layer walked backwards): y = x W
} gs_layout;

/// c[m, n] = a[m, k] · B (+ bias) (+ c when `accumulate`).
typedef struct gs_gemm {
  int64_t m, n, k;
  const float *a;
  int64_t lda;
  gs_matrix b;
  gs_layout layout;
  float *c;
  int64_t ldc;
  const float *bias;  ///< [n] or NULL
  int accumulate;
} gs_gemm;

/// out[m, n] = gelu_tanh(a·gateᵀ) ∘ (a·upᵀ); gate and up are stored [n, k].
typedef struct gs_gated {
  int64_t m, n, k;
  const float *a;
  int64_t lda;
  gs_matrix gate, up;
  float *out;
  int64_t ldo;
  float *gate_out, *up_out;  ///< both [m, n] contiguous, or both NULL: the values before the activation
} gs_gated;

// ---------------------------------------------------------------------------------------------------------------
// Attention

/// Causal attention of `queries` rows over `keys` rows of one sequence, with grouped heads: query head h reads key and
/// value head h / (query_heads / kv_heads). Key j (absolute position first_key + j) is visible from query i (absolute
/// position first_query + i) when position(j) <= position(i) and, for window > 0, position(j) > position(i) - window.
/// Rows hold all heads one after another: q, out [queries, query_heads·head_dim], k, v [keys, kv_heads·head_dim].
typedef struct gs_attention {
  int64_t queries, keys;
  int64_t query_heads, kv_heads, head_dim;
  int64_t first_query, first_key;
  int64_t window;  ///< 0: global
  float scale;     ///< multiplies q·k
  const float *q, *k, *v;
  int64_t ldq, ldk, ldv;
  float *out;
  int64_t ldo;
} gs_attention;

/// Vector–Jacobian product of attention for a batch of cotangents that share one forward.
/// `dout`, `dq` are [cotangents, queries, query_heads·head_dim]; `dk`, `dv` [cotangents, keys, kv_heads·head_dim], all
/// contiguous and overwritten. With dq == NULL the pattern is held constant (frozen): only dv is computed, dk unused.
typedef struct gs_attention_vjp {
  gs_attention forward;  ///< `out` is not read
  int64_t cotangents;
  const float *dout;
  float *dq, *dk, *dv;
} gs_attention_vjp;

// ---------------------------------------------------------------------------------------------------------------
// Sparse codes

/// CSR: row r holds entries row_offsets[r] ..< row_offsets[r+1], features ascending. Owned by malloc.
typedef struct gs_sparse {
  int64_t rows;
  int64_t *row_offsets;
  int32_t *features;
  float *activations;
} gs_sparse;
/// Frees the arrays of a code and empties it. NULL, and a code that is empty already, are allowed.
void gs_sparse_free(gs_sparse *code);

/// JumpReLU encoder (Rajamanoharan et al. 2024): z = x·W + bias, kept where z > threshold and z > 0, hence dropped
/// where it is NaN. d is at least 1. Never forms [m, width].
typedef struct gs_encode {
  int64_t m, d, width;
  const float *x;
  int64_t ldx;
  gs_matrix w;
  gs_layout layout;        ///< GS_ROWS_ARE_INPUTS for Gemma Scope's w_enc [d, width]
  const float *bias;       ///< [width] or NULL
  const float *threshold;  ///< [width] or NULL (zero)
} gs_encode;

/// y[r, :] = (accumulate ? y[r, :] : 0) + bias + Σ activation · w[feature, :].
typedef struct gs_decode {
  int64_t rows, d;
  const int64_t *row_offsets;
  const int32_t *features;
  const float *activations;
  gs_matrix w;        ///< [width, d]
  const float *bias;  ///< [d] or NULL
  float *y;
  int64_t ldy;
  int accumulate;
} gs_decode;

// ---------------------------------------------------------------------------------------------------------------
// Training sparse dictionaries

/// (token, feature) pairs by feature: feature i holds entries offsets[i] ..< offsets[i+1], tokens ascending. Owned by
/// malloc.
typedef struct gs_columns {
  int64_t width;
  int64_t *offsets;
  int32_t *tokens;
  float *values;
} gs_columns;
void gs_columns_free(gs_columns *columns);

/// For each token (row of a code): planes[g, row, :] += Σ z · w[feature, :] over the entries with z > threshold whose
/// feature lies in group g (below group_ends[g], not below group_ends[g - 1]); active[row] += their number.
typedef struct gs_train_decode {
  int64_t rows, d;
  const int64_t *row_offsets;
  const int32_t *features;
  const float *z;
  const float *threshold;  ///< [width] or NULL: all entries count
  const float *w;          ///< [width, d] contiguous
  int64_t groups;
  const int32_t *group_ends;  ///< ascending
  float *planes;
  int64_t ldp, plane;  ///< floats between rows and between planes
  int32_t *active;     ///< [rows]
} gs_train_decode;

/// Turns decodes by group into the gradients of  Σ_g weights[g] · scale/2 · ‖x̂_g − y‖², where x̂_g = bias + Σ_{h ≤ g} planes[h]:
/// planes[g] becomes Σ_{p ≥ g} weights[p] · scale · (x̂_p − y), the gradient by a feature of group g.
typedef struct gs_train_errors {
  int64_t rows, d, groups;  ///< at most GS_TRAIN_GROUPS groups
  float *planes;
  int64_t ldp, plane;
  const float *target;  ///< y / target_scale
  int64_t ldt;
  float target_scale;
  const float *bias;  ///< [d] or NULL
  const float *weights;
  float scale;
  float *squares;   ///< [groups, rows]: ‖x̂_g − y‖² is added
  float *residual;  ///< y − x̂ of the last group, with rows ldp apart, or NULL
} gs_train_errors;
/// Most bars of a spread's histogram.
enum { GS_SPREAD_BARS = 64 };
enum { GS_TRAIN_GROUPS = 16, GS_TRAIN_BLOCK = 32 };  // FeatureUpdate.pullBlock in Swift

/// A parameter under Adam. `first` is NULL when β1 is 0.
typedef struct gs_parameter {
  float *value, *second, *first;
} gs_parameter;

/// Adam as torch.optim.Adam: ε outside the root, moments corrected for `step` steps (this one included).
typedef struct gs_adam {
  float rate, beta1, beta2, epsilon;
  int64_t step;
} gs_adam;

/// Rows of a code as a dense matrix: out[rows, width], 0 where there is no entry with z > threshold; active[row] += their
/// number.
typedef struct gs_train_spread {
  int64_t rows, width;
  const int64_t *row_offsets;
  const int32_t *features;
  const float *z;
  const float *threshold;  ///< [width] or NULL: all entries
  float *out;
  int32_t *active;  ///< [rows] or NULL
} gs_train_spread;

/// What the pairs of each feature add up to, as in gs_train_rows: Σ da·x, Σ z·G, Σ da, Σ over the window of θ·da + slope.
typedef struct gs_train_sums {
  float *encoder, *decoder;  ///< [width, inputs], [width, outputs]
  float *bias, *window;
  int32_t *pairs, *active, *inside;  ///< numbers of pairs, of active ones, of those in the window
} gs_train_sums;

/// Between dense products: from z and da [tokens, width] of some tokens to activations and slopes by feature, [width,
/// tokens], 0 for pairs that are not active; adds to all sums but the first two.
typedef struct gs_train_slopes {
  int64_t tokens, width;
  const float *z, *along;
  const float *threshold;  ///< [width] or NULL
  float bandwidth;
  const float *slope;  ///< [tokens]
  float *activations, *slopes;
  const gs_train_sums *sums;
} gs_train_slopes;

/// Gradients and update of one source's features, each from the pairs it takes part in.
///
/// With G the row of `gradient` that belongs to the feature's group and the pair's token, and da = G · decoder row:
///   decoder += z·G, encoder += da·x, encoder bias += da   for active pairs (z > threshold; all without thresholds)
///   threshold += (−θ/ε)·da − (slope[token] + frequency slope)/ε   for pairs with |z − θ| < ε/2,
/// the frequency slope being frequency · (1 + 2 p / frequency_scale) with p = active pairs / tokens. The gradient by
/// log θ is θ times that by θ. `aux` pairs are always active and read aux_gradient.
/// Then the decoder's gradient loses its part along the row, Adam steps, and the row gets unit length. Rows without
/// pairs are left alone when β1 is 0: their second moments catch up, by powers of β2, when next they have some.
typedef struct gs_train_rows {
  int64_t width, tokens, inputs, outputs;
  gs_columns pairs, aux;  ///< aux.offsets may be NULL
  gs_train_sums sums;     ///< with sums.decoder: what to take in place of `pairs`
  const float *x;         ///< [tokens, inputs] contiguous: what was encoded
  const float *gradient;  ///< planes of [tokens, …], the source's first column
  int64_t ldg, plane;
  int64_t groups;
  const int32_t *group_ends;
  const float *aux_gradient;
  const float *threshold;  ///< [width] or NULL
  float bandwidth;         ///< ε
  const float *slope;      ///< [tokens]; read with thresholds only
  float frequency, frequency_scale;
  gs_parameter encoder, encoder_bias, log_threshold, decoder;
  int32_t *last_step;  ///< [width]: the step that last moved each row's moments
  gs_adam adam;
  float bias_rate, threshold_rate;  ///< multiply the rates of encoder_bias and log_threshold
  int32_t *active;       ///< [width]: active pairs, aux left out
  float *pull;           ///< [⌈width / GS_TRAIN_BLOCK⌉, inputs]: Σ encoder bias gradient · encoder row, or NULL
  float *norms;          ///< [width]: squared length of the gradients after projection
  /// Where gradients go instead of an update, the decoder's unprojected; all NULL or none.
  float *encoder_gradient, *encoder_bias_gradient, *log_threshold_gradient, *decoder_gradient;
} gs_train_rows;

// ---------------------------------------------------------------------------------------------------------------
// The function table

typedef enum gs_isa { GS_SCALAR = 0, GS_AVX2 = 1, GS_AVX512 = 2, GS_NEON = 3 } gs_isa;

typedef struct gs_kernels {
  gs_isa isa;
  const char *name;

  /// c = a·B; few rows of `a` (a decode step) go through a matrix–vector path that streams B once.
  int (*gemm)(gs_pool *, const gs_gemm *);
  int (*gated)(gs_pool *, const gs_gated *);

  /// out[i, :] = scale · w[ids[i], :], widened to fp32.
  void (*gather_rows)(gs_pool *, const gs_matrix *w, const int32_t *ids, int64_t n, float scale, float *out,
                      int64_t ldo);

  /// y = x · gain / sqrt(mean(x²) + eps) over each of `rows` rows of `d` contiguous floats; gain is already 1 + w.
  /// With `residual` (may be NULL): y = residual + that. y may be x or residual.
  void (*rms_norm)(gs_pool *, int64_t rows, int64_t d, const float *x, const float *gain, float eps,
                   const float *residual, float *y);
  /// dx of rms_norm for `cotangents` gradients [cotangents, rows, d]; `frozen` holds the denominator constant.
  void (*rms_norm_vjp)(gs_pool *, int64_t cotangents, int64_t rows, int64_t d, const float *dy, const float *x,
                       const float *gain, float eps, int frozen, float *dx);

  /// Rotates pairs (i, i + head_dim/2) of every head of row r by the angle whose cosine and sine stand in
  /// cos/sin[r, head_dim/2]; `inverse` rotates back (the VJP). In place, x is [rows, heads, head_dim].
  void (*rope)(gs_pool *, int64_t rows, int64_t heads, int64_t head_dim, float *x, const float *cos, const float *sin,
               int inverse);

  /// `count` independent sequences.
  int (*attention)(gs_pool *, const gs_attention *sequences, int64_t count);
  /// pattern[query_heads, queries, keys]: the softmax weights, zero where a key is not visible.
  int (*attention_pattern)(gs_pool *, const gs_attention *, float *pattern);
  int (*attention_vjp)(gs_pool *, const gs_attention_vjp *);

  /// dgate, dup from dh for h = gelu_tanh(gate)·up: gate, up [n], dh, dgate, dup [cotangents, n].
  void (*gelu_gate_vjp)(gs_pool *, int64_t cotangents, int64_t n, const float *gate, const float *up, const float *dh,
                        float *dgate, float *dup);

  /// y += alpha · x over n floats.
  void (*axpy)(gs_pool *, int64_t n, float alpha, const float *x, float *y);

  /// out[r] = log Σ exp(x[r, :]), computed about the row's maximum.
  void (*log_sum_exp)(gs_pool *, int64_t rows, int64_t n, const float *x, int64_t ldx, float *out);
  /// The k largest of each row in falling order, equal values by lower index first (k <= n): [rows, k].
  void (*top_k)(gs_pool *, int64_t rows, int64_t n, const float *x, int64_t ldx, int64_t k, int32_t *ids,
                float *values);
  /// The k largest and k smallest of each row, best first, equal values by lower index first (1 <= k <= n): [rows, k]; and
  /// how many values lie in each of `bars` (at most GS_SPREAD_BARS) parts of equal width between the ends: [rows, bars].
  void (*spread)(gs_pool *, int64_t rows, int64_t n, const float *x, int64_t ldx, int64_t k, int64_t bars,
                 int32_t *top_ids, float *top_values, int32_t *bottom_ids, float *bottom_values, uint32_t *counts);
  /// KL(softmax p ‖ softmax q) of contiguous rows of n logits, given log Σ exp of each row: out [rows], and its gradient
  /// by q, softmax q − softmax p, [rows, n], unless `gradient` is NULL; it may be p or q.
  void (*divergence)(gs_pool *, int64_t rows, int64_t n, const float *p, const float *p_lse, const float *q,
                     const float *q_lse, double *out, float *gradient);

  int (*encode)(gs_pool *, const gs_encode *, gs_sparse *out);
  void (*decode)(gs_pool *, const gs_decode *);

  void (*train_decode)(gs_pool *, const gs_train_decode *);
  void (*train_errors)(gs_pool *, const gs_train_errors *);
  /// The pairs of a code of features below `width` by feature.
  int (*train_columns)(gs_pool *, int64_t rows, int64_t width, const int64_t *row_offsets, const int32_t *features,
                       const float *values, gs_columns *out);
  int (*train_rows)(gs_pool *, const gs_train_rows *);
  void (*train_spread)(gs_pool *, const gs_train_spread *);
  void (*train_slopes)(gs_pool *, const gs_train_slopes *);
  /// One Adam step of n parameters.
  void (*adam)(gs_pool *, int64_t n, const gs_adam *, const gs_parameter *, const float *gradient);
  /// out[rows, d] = scale · x − bias (bias may be NULL); out is contiguous.
  void (*scale_rows)(gs_pool *, int64_t rows, int64_t d, const float *x, int64_t ldx, float scale, const float *bias,
                     float *out);
  /// Σ over rows of x[:, j] and of its square (`squares` may be NULL), in double precision.
  void (*column_sums)(gs_pool *, int64_t rows, int64_t d, const float *x, int64_t ldx, double *sums, double *squares);
  /// out[cols, rows] = x[rows, cols]ᵀ.
  void (*transpose)(gs_pool *, int64_t rows, int64_t cols, const float *x, int64_t ldx, float *out);
} gs_kernels;

/// The table for an instruction set, or NULL when this build or this machine lacks it.
const gs_kernels *gs_kernels_for(gs_isa isa);
/// The fastest table this machine runs.
const gs_kernels *gs_kernels_best(void);

#endif
