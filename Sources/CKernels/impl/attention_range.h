// Which keys a query sees, and how a call's queries are cut into tiles. Both follow from shapes alone, so that results
// do not depend on the number of threads.

/// Rows (queries times the group's heads) a tile aims for: a multiple of the panel width and of the kernel's rows, with
/// scores, queries and outputs of head_dim 256 fitting a one-megabyte cache together.
enum { ATT_TILE_ROWS = 96 };

/// Keys [from, to) by index.
typedef struct att_range {
  int64_t from, to;
} att_range;

/// The keys query i sees; empty ranges are 0 ..< 0.
GS_INLINE att_range att_visible(const gs_attention *s, int64_t i) {
  const int64_t position = s->first_query + i - s->first_key;
  const int64_t to = gs_min64(s->keys, position + 1);
  const int64_t from = s->window > 0 ? gs_max64(0, position - s->window + 1) : 0;
  return from < to ? (att_range){from, to} : (att_range){0, 0};
}

/// The keys any of queries i ..< j sees. Ranges move forward with the query, so the ends suffice.
GS_INLINE att_range att_visible_any(const gs_attention *s, int64_t i, int64_t j) {
  // The first query may stand before every key and the last one after every key: skip those.
  const int64_t first = gs_max64(i, s->first_key - s->first_query);
  int64_t last = j - 1;
  if (s->window > 0) last = gs_min64(last, s->first_key + s->keys - 1 + s->window - 1 - s->first_query);
  if (first > last) return (att_range){0, 0};
  return (att_range){att_visible(s, first).from, att_visible(s, last).to};
}

GS_INLINE att_range att_clip(att_range r, int64_t from, int64_t to) {
  r.from = gs_max64(r.from, from);
  r.to = gs_min64(r.to, to);
  return r.from < r.to ? r : (att_range){from, from};
}

GS_INLINE int64_t att_tile_queries(int64_t group) { return gs_max64(1, ATT_TILE_ROWS / group); }

/// One tile: queries first ..< first + queries that share key and value head `head`.
typedef struct att_tile {
  const gs_attention *s;
  int64_t head, group, first, queries;
  int64_t rows;   ///< queries · group
  int64_t ld;     ///< floats between keys in a score block of this tile
  att_range keys;  ///< that any of its queries sees
} att_tile;

/// Floats between the rows of a score block: whole panels, and an odd number of cache lines so that a walk down a
/// column does not fall on the same few cache sets.
GS_INLINE int64_t att_score_ld(int64_t rows) { return att_round_up(rows, ATT_NR) + 16; }

GS_INLINE att_tile att_make_tile(const gs_attention *s, int64_t head, int64_t tile) {
  const int64_t group = s->query_heads / s->kv_heads, step = att_tile_queries(group), first = tile * step;
  const int64_t queries = gs_min64(step, s->queries - first);
  return (att_tile){.s = s,
                    .head = head,
                    .group = group,
                    .first = first,
                    .queries = queries,
                    .rows = queries * group,
                    .ld = att_score_ld(queries * group),
                    .keys = att_visible_any(s, first, first + queries)};
}

/// Keys seen by any of the tile's rows r0 ..< r1 (rows past the end of the tile see none).
GS_INLINE att_range att_rows_keys(const att_tile *t, int64_t r0, int64_t r1) {
  const int64_t q1 = gs_ceil_div(gs_min64(r1, t->rows), t->group);
  return att_visible_any(t->s, t->first + r0 / t->group, t->first + q1);
}

/// Where the tile starts in an array [queries, query_heads·head_dim].
GS_INLINE int64_t att_tile_offset(const att_tile *t, int64_t ld) {
  return t->first * ld + t->head * t->group * t->s->head_dim;
}

/// The end of the range in which each lane's query sees keys, for rows r0 ..< r0 + GS_VW.
typedef struct att_lanes {
  vi from, to;
} att_lanes;

GS_INLINE att_lanes att_lane_keys(const att_tile *t, int64_t r0, int64_t origin) {
  int32_t from[GS_VW], to[GS_VW];
  for (int i = 0; i < GS_VW; i++) {
    const int64_t r = r0 + i;
    const att_range seen = r < t->rows ? att_visible(t->s, t->first + r / t->group) : (att_range){0, 0};
    from[i] = (int32_t)(seen.from - origin);
    to[i] = (int32_t)(seen.to - origin);
  }
  att_lanes lanes;
  memcpy(&lanes.from, from, sizeof from);
  memcpy(&lanes.to, to, sizeof to);
  return lanes;
}
