// zlib, as the system has it. Its initialisers are macros, which Swift does not see.
#include <zlib.h>

/// Makes `stream` unpack a raw deflate stream, or with `gzip` a gzip file's member.
static inline int gs_inflate_init(z_stream *stream, int gzip) { return inflateInit2(stream, gzip ? 15 + 16 : -15); }

/// Makes `stream` pack into a gzip member; without `matching` by entropy coding alone: what quantised weights have no use
/// for is matching.
static inline int gs_deflate_init(z_stream *stream, int matching) {
  return deflateInit2(
      stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, matching ? Z_DEFAULT_STRATEGY : Z_HUFFMAN_ONLY);
}

/// Makes `stream` pack text into a gzip member.
static inline int gs_deflate_init_text(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
