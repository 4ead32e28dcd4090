// All kernels for one instruction set, in the order they build on each other, and the table that names them.
#include "impl/vec.h"
// clang-format off
#include "impl/dequantise.h"
#include "impl/gemm_core.h"
#include "impl/matvec.h"
#include "impl/gemm.h"
#include "impl/gated.h"
#include "impl/gather.h"
#include "impl/norm.h"
#include "impl/rope.h"
#include "impl/attention.h"
#include "impl/attention_vjp.h"
#include "impl/pointwise.h"
#include "impl/logits.h"
#include "impl/spread.h"
#include "impl/divergence.h"
#include "impl/encode.h"
#include "impl/decode.h"
#include "impl/train_tokens.h"
#include "impl/train_columns.h"
#include "impl/train_adam.h"
#include "impl/train_rows.h"
#include "impl/train_dense.h"
#include "impl/train_products.h"
// clang-format on

const gs_kernels GS_TABLE = {
    .isa = GS_ISA,
    .name = GS_ISA_NAME,
    .gemm = gemm,
    .gated = gated,
    .gather_rows = gather_rows,
    .rms_norm = rms_norm,
    .rms_norm_vjp = rms_norm_vjp,
    .rope = rope,
    .attention = attention,
    .attention_pattern = attention_pattern,
    .attention_vjp = attention_vjp,
    .gelu_gate_vjp = gelu_gate_vjp,
    .axpy = axpy,
    .log_sum_exp = log_sum_exp,
    .top_k = top_k,
    .spread = spread,
    .divergence = divergence,
    .encode = encode,
    .decode = decode,
    .train_decode = train_decode,
    .train_errors = train_errors,
    .train_columns = train_columns,
    .train_rows = train_rows,
    .train_spread = train_spread,
    .train_slopes = train_slopes,
    .adam = adam,
    .scale_rows = scale_rows,
    .column_sums = column_sums,
    .transpose = transpose,
};
