// exp and the tanh form of GELU (Hendrycks & Gimpel 2016) over vectors, a few units in the last place from the true
// value. The one-lane build asks the C library in double precision instead, which makes it the yardstick for the
// others.
#ifndef GEMMASCOPE_IMPL_MATH_H
#define GEMMASCOPE_IMPL_MATH_H

#if GS_VW == 1

GS_INLINE vf vf_exp(vf x) { return (vf)(float)exp((double)x[0]); }
GS_INLINE vf vf_gelu(vf x) {
  const double u = 0.7978845608028654 * ((double)x[0] + 0.044715 * (double)x[0] * x[0] * x[0]);
  return (vf)(float)(x[0] / (1.0 + exp(-2.0 * u)));
}

#else

GS_INLINE vf vf_fma(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }

/// 2^n for n in -126 ... 127.
GS_INLINE vf vf_exp2i(vi n) { return (vf)((n + 127) << 23); }

/// e^(x + low), low being a correction far below x. Arguments past the ends of the float range give 0 and infinity.
GS_INLINE vf vf_exp_corrected(vf x, vf low) {
  x = vf_select(x > 89.0f, vf_set(89.0f), x);
  x = vf_select(x < -105.0f, vf_set(-105.0f), x);
  // Adding 1.5 · 2^23 leaves the nearest integer in the low bits.
  const vf magic = vf_set(12582912.0f);
  const vf shifted = vf_fma(x, vf_set(1.44269504f), magic);
  const vf n = shifted - magic;
  vf r = vf_fma(n, vf_set(-0.69317626953125f), x);
  r = vf_fma(n, vf_set(2.9088971132296138e-05f), r) + low;
  // e^r = 1 + r + r² P(r) on |r| <= ln(2)/2: a minimax fit, relative error 3e-9.
  vf p = vf_set(0.0013814581325277686f);
  p = vf_fma(p, r, vf_set(0.008368724025785923f));
  p = vf_fma(p, r, vf_set(0.04166838899254799f));
  p = vf_fma(p, r, vf_set(0.1666652113199234f));
  p = vf_fma(p, r, vf_set(0.4999999403953552f));
  p = vf_fma(p, r * r, r) + 1.0f;
  // In two factors, so that results below the normal range round once and those above it overflow.
  const vi whole = (vi)shifted - (vi)magic;
  const vi half = whole >> 1;
  return p * vf_exp2i(half) * vf_exp2i(whole - half);
}

GS_INLINE vf vf_exp(vf x) { return vf_exp_corrected(x, vf_set(0.0f)); }

/// x/2 · (1 + tanh(sqrt(2/π)(x + 0.044715 x³))), written x / (1 + e^w) with w = -2 sqrt(2/π)(x + 0.044715 x³), which
/// does not cancel for negative x. w is carried in two floats: its rounding error is the result's relative error.
GS_INLINE vf vf_gelu(vf x) {
  const vf b = vf_set(-1.5957691669464111f), b_low = vf_set(4.534068054340423e-08f);
  const vf a = vf_set(-0.07135481387376785f), a_low = vf_set(-2.3988324659995897e-09f);
  vf y = vf_select(x > 16.0f, vf_set(16.0f), x);
  y = vf_select(y < -16.0f, vf_set(-16.0f), y);
  const vf square = y * y;
  const vf square_low = vf_fma(y, y, -square);
  const vf p = a * square;
  const vf p_low = vf_fma(a, square, -p) + (a * square_low + a_low * square);
  const vf s = b + p;
  const vf p_part = s - b;
  const vf s_low = ((b - (s - p_part)) + (p - p_part)) + (p_low + b_low);
  const vf w = y * s;
  const vf w_low = vf_fma(y, s, -w) + y * s_low;
  return x / (1.0f + vf_exp_corrected(w, w_low));
}

#endif

#endif
