// The kernels of a training step, over made-up (token, feature) pairs.
#include <stdlib.h>
#include <string.h>

#include "support.h"

/// The pairs of one source, and their groups.
typedef struct pairs {
  int64_t tokens, width, inputs, outputs, groups, stride;
  int32_t ends[GS_TRAIN_GROUPS];
  int64_t *offsets;
  int32_t *features;
  float *values, *thresholds;
} pairs;

static pairs made_up(void) {
  pairs c = {.tokens = size(90), .width = size(150), .inputs = size(200), .outputs = size(200)};
  c.groups = 1 + bits() % 3;
  c.stride = c.outputs + bits() % 5;
  for (int64_t g = 0; g < c.groups; g++) c.ends[g] = (int32_t)(c.width * (g + 1) / c.groups);
  c.offsets = room((c.tokens + 1) * 8);
  c.features = room(c.tokens * c.width * 4);
  c.values = floats(c.tokens * c.width);
  c.thresholds = floats(c.width);
  for (int64_t i = 0; i < c.width; i++) c.thresholds[i] = 0.4f + 0.2f * c.thresholds[i];
  const uint32_t density = 1 + bits() % 40;
  int64_t next = 0;
  for (int64_t token = 0; token < c.tokens; token++) {
    c.offsets[token] = next;
    for (int64_t i = 0; i < c.width; i++) {
      if (bits() % 100 >= density) continue;
      c.values[next] = c.values[next] < 0 ? -c.values[next] : c.values[next];
      c.features[next++] = (int32_t)i;
    }
  }
  c.offsets[c.tokens] = next;
  return c;
}

static void compare_tokens(const pairs *c, int straight) {
  const int64_t plane = c->tokens * c->stride, all = c->groups * plane;
  float *planes[2] = {floats(all), NULL}, *squares[2] = {floats(c->groups * c->tokens), NULL}, *rest[2];
  planes[1] = copy(planes[0], all);
  squares[1] = copy(squares[0], c->groups * c->tokens);
  rest[0] = floats(plane);
  rest[1] = copy(rest[0], plane);
  int32_t *active[2] = {room(c->tokens * 4), room(c->tokens * 4)};
  const float *w = floats(c->width * c->outputs), *target = floats(c->tokens * c->outputs);
  const float *bias = floats(c->outputs), *weights = floats(c->groups);
  for (int side = 0; side < 2; side++) {
    const gs_kernels *table = side ? slow : fast;
    memset(active[side], 0, (size_t)c->tokens * 4);
    table->train_decode(
        pool, &(gs_train_decode){c->tokens, c->outputs, c->offsets, c->features, c->values,
                                 straight ? c->thresholds : NULL, w, c->groups, c->ends, planes[side], c->stride,
                                 plane, active[side]});
  }
  expect_close(planes[0], planes[1], all, 2e-5f, "train_decode");
  expect_same(active[0], active[1], c->tokens * 4, "train_decode active");
  for (int side = 0; side < 2; side++) {
    const gs_kernels *table = side ? slow : fast;
    table->train_errors(
        pool, &(gs_train_errors){c->tokens, c->outputs, c->groups, planes[side], c->stride, plane, target, c->outputs,
                                 0.7f, straight ? bias : NULL, weights, 0.3f, squares[side], rest[side]});
  }
  expect_close(planes[0], planes[1], all, 3e-5f, "train_errors gradients");
  expect_close(squares[0], squares[1], c->groups * c->tokens, 3e-5f, "train_errors squares");
  expect_close(rest[0], rest[1], plane, 3e-5f, "train_errors residual");
}

/// Both tables' columns, which hold the same bytes.
static gs_columns compare_columns(const pairs *c) {
  gs_columns got = {0}, want = {0};
  if (fast->train_columns(pool, c->tokens, c->width, c->offsets, c->features, c->values, &got) != GS_OK) abort();
  if (slow->train_columns(pool, c->tokens, c->width, c->offsets, c->features, c->values, &want) != GS_OK) abort();
  expect_same(got.offsets, want.offsets, (c->width + 1) * 8, "train_columns offsets");
  expect_same(got.tokens, want.tokens, c->offsets[c->tokens] * 4, "train_columns tokens");
  expect_same(got.values, want.values, c->offsets[c->tokens] * 4, "train_columns values");
  gs_columns_free(&got);
  return want;
}

/// Everything train_rows writes, one after another: encoder, its bias, log thresholds, decoder.
enum { PARTS = 4 };
typedef struct parameters {
  int64_t starts[PARTS + 1];
  float *value, *second, *first, *gradient, *pull, *norms;
  int32_t *last, *active;
} parameters;

static gs_parameter part(const parameters *p, int index, int momentum) {
  const int64_t at = p->starts[index];
  return (gs_parameter){p->value + at, p->second + at, momentum ? p->first + at : NULL};
}

static void compare_features(const pairs *c, const gs_columns *columns, int straight, int momentum, int recorded,
                             int auxiliary) {
  const int64_t plane = c->tokens * c->stride, blocks = (c->width + GS_TRAIN_BLOCK - 1) / GS_TRAIN_BLOCK;
  const float *x = floats(c->tokens * c->inputs), *planes = floats(c->groups * plane), *slope = floats(c->tokens);
  const float *aux_gradient = floats(plane);
  parameters both[2] = {{.starts = {0, c->width * c->inputs, c->width * (c->inputs + 1), c->width * (c->inputs + 2),
                                    c->width * (c->inputs + 2 + c->outputs)}}};
  const int64_t all = both[0].starts[PARTS];
  both[1] = both[0];
  both[0].value = floats(all), both[1].value = copy(both[0].value, all);
  both[0].second = floats(all), both[0].first = floats(all);
  // Second moments well above zero, lest noise in a small gradient decides the direction of a step.
  for (int64_t i = 0; i < all; i++) both[0].second[i] = 0.25f + 0.1f * both[0].second[i];
  both[1].second = copy(both[0].second, all), both[1].first = copy(both[0].first, all);
  for (int side = 0; side < 2; side++) {
    parameters *p = &both[side];
    p->gradient = room(all * 4), p->pull = room(blocks * c->inputs * 4), p->norms = room(c->width * 4);
    p->last = room(c->width * 4), p->active = room(c->width * 4);
    for (int64_t i = 0; i < c->width; i++) p->last[i] = (int32_t)(i % 4);
    const gs_train_rows rows = {
        .width = c->width, .tokens = c->tokens, .inputs = c->inputs, .outputs = c->outputs,
        .pairs = *columns, .aux = auxiliary ? *columns : (gs_columns){0},
        .x = x, .gradient = planes, .ldg = c->stride, .plane = plane,
        .groups = c->groups, .group_ends = c->ends, .aux_gradient = aux_gradient,
        .threshold = straight ? c->thresholds : NULL, .bandwidth = 0.2f, .slope = slope,
        .frequency = 0.01f, .frequency_scale = 0.3f,
        .encoder = part(p, 0, momentum), .encoder_bias = part(p, 1, momentum),
        .log_threshold = part(p, 2, momentum), .decoder = part(p, 3, momentum),
        .last_step = p->last, .adam = {0.01f, momentum ? 0.9f : 0, 0.99f, 1e-6f, 5}, .bias_rate = 0.25f, .threshold_rate = 0.5f,
        .active = p->active, .pull = p->pull, .norms = p->norms,
        .encoder_gradient = recorded ? p->gradient : NULL,
        .encoder_bias_gradient = recorded ? p->gradient + p->starts[1] : NULL,
        .log_threshold_gradient = recorded ? p->gradient + p->starts[2] : NULL,
        .decoder_gradient = recorded ? p->gradient + p->starts[3] : NULL};
    const gs_kernels *table = side ? slow : fast;
    if (table->train_rows(pool, &rows) != GS_OK) abort();
  }
  static const char *names[PARTS] = {"encoder", "encoder bias", "log threshold", "decoder"};
  for (int i = 0; i < PARTS; i++) {
    const int64_t at = both[0].starts[i], n = both[0].starts[i + 1] - at;
    if (recorded) {
      expect_close(both[0].gradient + at, both[1].gradient + at, n, 5e-5f, "train_rows gradient of the %s", names[i]);
      continue;
    }
    expect_close(both[0].value + at, both[1].value + at, n, 2e-5f, "train_rows %s", names[i]);
    expect_close(both[0].second + at, both[1].second + at, n, 5e-5f, "train_rows second moment of the %s", names[i]);
    if (momentum)
      expect_close(both[0].first + at, both[1].first + at, n, 5e-5f, "train_rows first moment of the %s", names[i]);
  }
  expect_close(both[0].pull, both[1].pull, blocks * c->inputs, 5e-5f, "train_rows pull");
  if (!recorded) expect_close(both[0].norms, both[1].norms, c->width, 1e-4f, "train_rows norms");
  expect_same(both[0].active, both[1].active, c->width * 4, "train_rows active");
  expect_same(both[0].last, both[1].last, c->width * 4, "train_rows last step");
}

static void compare_adam(int momentum) {
  const int64_t n = size(40000);
  const float *gradient = floats(n);
  float *value[2] = {floats(n), NULL}, *second[2] = {floats(n), NULL}, *first[2] = {floats(n), NULL};
  for (int64_t i = 0; i < n; i++) second[0][i] = 0.25f + 0.1f * second[0][i];
  value[1] = copy(value[0], n), second[1] = copy(second[0], n), first[1] = copy(first[0], n);
  const gs_adam step = {0.01f, momentum ? 0.9f : 0, 0.999f, 1e-8f, 7};
  for (int side = 0; side < 2; side++)
    (side ? slow : fast)->adam(pool, n, &step,
                               &(gs_parameter){value[side], second[side], momentum ? first[side] : NULL}, gradient);
  expect_close(value[0], value[1], n, 1e-6f, "adam");
  expect_close(second[0], second[1], n, 1e-6f, "adam second moment");
  expect_close(first[0], first[1], n, 1e-6f, "adam first moment");
}

static void compare_helpers(int biased) {
  const int64_t n = size(70), d = size(150), ld = d + bits() % 4;
  const float *x = floats(n * ld), *bias = biased ? floats(d) : NULL;
  float *scaled[2] = {floats(n * d), floats(n * d)}, *turned[2] = {floats(n * d), floats(n * d)};
  double *sums[2] = {room(d * 8), room(d * 8)}, *squares[2] = {room(d * 8), room(d * 8)};
  for (int side = 0; side < 2; side++) {
    const gs_kernels *table = side ? slow : fast;
    table->scale_rows(pool, n, d, x, ld, 0.5f, bias, scaled[side]);
    table->transpose(pool, n, d, x, ld, turned[side]);
    table->column_sums(pool, n, d, x, ld, sums[side], biased ? squares[side] : NULL);
  }
  expect_close(scaled[0], scaled[1], n * d, 1e-6f, "scale_rows");
  expect_same(turned[0], turned[1], n * d * 4, "transpose");
  float *narrow[2] = {room(2 * d * 4), room(2 * d * 4)};
  for (int side = 0; side < 2; side++)
    for (int64_t j = 0; j < d; j++) {
      narrow[side][j] = (float)sums[side][j];
      narrow[side][d + j] = biased ? (float)squares[side][j] : 0;
    }
  expect_close(narrow[0], narrow[1], 2 * d, 1e-6f, "column_sums");
}

void compare_training(void) {
  for (int round = 0; round < 32; round++) {
    const int straight = round % 2, momentum = round / 2 % 2, recorded = round / 4 % 2, auxiliary = round / 8 % 2;
    const pairs c = made_up();
    compare_tokens(&c, straight);
    gs_columns columns = compare_columns(&c);
    compare_features(&c, &columns, straight, momentum, recorded, auxiliary);
    gs_columns_free(&columns);
    compare_adam(momentum);
    compare_helpers(straight);
    release();
  }
}
