// Portable float vectors: 16 lanes with AVX-512, 8 with AVX2 and FMA, 4 anywhere else (SSE2, NEON).
//
// `Float` is the compilers' vector extension, so + - * / work on it and scalars broadcast. What the extension
// lacks (masks, square roots, exponentials, sums over lanes, vectors of small squares of pixels) is here,
// with the same meaning for every width: comparisons with NaN are false, and `minimum` and `maximum` return
// their *second* argument if either is NaN.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace splat {

#if defined(__AVX512F__)
#define SPLAT_LANES 16
#elif defined(__AVX2__) && defined(__FMA__)
#define SPLAT_LANES 8
#else
#define SPLAT_LANES 4
#endif

constexpr int kLanes = SPLAT_LANES;
using Float = float __attribute__((vector_size(4 * SPLAT_LANES)));
using Int = std::int32_t __attribute__((vector_size(4 * SPLAT_LANES)));

inline Float load(const float* from) {
  Float value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Float value) { std::memcpy(to, &value, sizeof value); }

// load(at_address + kBy) for |kBy| < kLanes, given the vectors before, at and after the address. Put together
// from registers where loads across cache lines cost more.
template <int kBy>
inline Float load_between([[maybe_unused]] const float* address, [[maybe_unused]] Float before,
                          [[maybe_unused]] Float at, [[maybe_unused]] Float after) {
#if SPLAT_LANES == 16
  if constexpr (kBy < 0) {
    return (Float)_mm512_alignr_epi32((__m512i)at, (__m512i)before, 16 + kBy);
  } else {
    return (Float)_mm512_alignr_epi32((__m512i)after, (__m512i)at, kBy);
  }
#else
  return load(address + kBy);
#endif
}

inline Float load_bytes(const std::uint8_t* from) {
  std::uint8_t value __attribute__((vector_size(SPLAT_LANES)));
  std::memcpy(&value, from, sizeof value);
  return __builtin_convertvector(value, Float);
}

inline Float broadcast(float value) {
#if SPLAT_LANES == 16
  return (Float)_mm512_set1_ps(value);
#elif SPLAT_LANES == 8
  return (Float)_mm256_set1_ps(value);
#else
  return Float{value, value, value, value};
#endif
}

inline Float zero() { return broadcast(0.0f); }

// 0, 1, 2, ...
inline Float lane_indices() {
  Float value;
  for (int lane = 0; lane < kLanes; ++lane) value[lane] = static_cast<float>(lane);
  return value;
}

// `value`, of which the compiler no longer knows where it comes from: what made it is never merged with what
// uses it, into one rounding instead of two or into nothing at all.
inline Float opaque(Float value) {
#if defined(__x86_64__)
  asm volatile("" : "+v"(value));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+m"(value));
#endif
  return value;
}

// ---- cells: kCellWidth x kCellHeight pixels in one vector, column by column ----

constexpr int kCellWidth = 4, kCellHeight = kLanes / kCellWidth;

// What each row of a cell has, in all its lanes of that row: kCellHeight numbers, repeated.
inline Float load_rows(const float* from) {
#if SPLAT_LANES == 16
  return (Float)_mm512_broadcast_f32x4(_mm_loadu_ps(from));
#elif SPLAT_LANES == 8
  double pair;
  std::memcpy(&pair, from, sizeof pair);
  return (Float)_mm256_castpd_ps(_mm256_set1_pd(pair));
#else
  return broadcast(*from);
#endif
}

// 0 in the lanes of a cell's first column, 1 in those of its second, ...
inline Float lane_columns() {
  Float value;
  for (int lane = 0; lane < kLanes; ++lane) value[lane] = static_cast<float>(lane / kCellHeight);
  return value;
}

// The lanes of a cell row by row, as they are stored.
inline Float by_rows(Float cell) {
#if SPLAT_LANES == 16
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return (Float)_mm512_permutexvar_ps(order, (__m512)cell);
#elif SPLAT_LANES == 8
  return (Float)_mm256_permutevar8x32_ps((__m256)cell, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
#else
  return cell;
#endif
}

// The pixels of a cell, given where each of its rows begins.
inline Float load_cell(const float* const (&rows)[kCellHeight]) {
#if SPLAT_LANES == 16
  __m512 pixels = _mm512_castps128_ps512(_mm_loadu_ps(rows[0]));
  pixels = _mm512_insertf32x4(pixels, _mm_loadu_ps(rows[1]), 1);
  pixels = _mm512_insertf32x4(pixels, _mm_loadu_ps(rows[2]), 2);
  pixels = _mm512_insertf32x4(pixels, _mm_loadu_ps(rows[3]), 3);
  return by_rows((Float)pixels);  // of 4 x 4, there and back is the same
#elif SPLAT_LANES == 8
  const __m256 first = _mm256_castps128_ps256(_mm_loadu_ps(rows[0]));
  const __m256 pixels = _mm256_insertf128_ps(first, _mm_loadu_ps(rows[1]), 1);
  return (Float)_mm256_permutevar8x32_ps(pixels, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#else
  return load(rows[0]);
#endif
}

// ---- masks ----

#if SPLAT_LANES == 16
using Mask = __mmask16;
inline Mask less(Float a, Float b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
inline Mask less_equal(Float a, Float b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ); }
inline bool any(Mask mask) { return mask != 0; }
inline Float select(Mask mask, Float yes, Float no) {
  return (Float)_mm512_mask_blend_ps(mask, (__m512)no, (__m512)yes);
}
inline Float keep(Mask mask, Float value) { return (Float)_mm512_maskz_mov_ps(mask, (__m512)value); }
inline std::uint32_t bits(Mask mask) { return mask; }
#else
using Mask = Int;
inline Mask less(Float a, Float b) { return a < b; }
inline Mask less_equal(Float a, Float b) { return a <= b; }
// Each lane of a mask is all ones or all zeros.
inline Float keep(Mask mask, Float value) { return (Float)(mask & (Int)value); }
#if SPLAT_LANES == 8
inline Float select(Mask mask, Float yes, Float no) {
  return (Float)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
}
inline std::uint32_t bits(Mask mask) { return static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)mask)); }
inline bool any(Mask mask) { return bits(mask) != 0; }
#else
inline Float select(Mask mask, Float yes, Float no) { return (Float)((mask & (Int)yes) | (~mask & (Int)no)); }
inline std::uint32_t bits(Mask mask) {
  std::uint32_t result = 0;
  for (int lane = 0; lane < kLanes; ++lane) result |= static_cast<std::uint32_t>(mask[lane] & 1) << lane;
  return result;
}
inline bool any(Mask mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }
#endif
#endif

// ---- arithmetic ----

// a * b + c, rounded once where the instruction set can.
inline Float multiply_add(Float a, Float b, Float c) {
#if SPLAT_LANES == 16
  return (Float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif SPLAT_LANES == 8
  return (Float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

// c - a * b, rounded once where the instruction set can.
inline Float subtract_product(Float c, Float a, Float b) {
#if SPLAT_LANES == 16
  return (Float)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif SPLAT_LANES == 8
  return (Float)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return c - a * b;
#endif
}

inline Float minimum(Float a, Float b) {
#if SPLAT_LANES == 16
  return (Float)_mm512_min_ps((__m512)a, (__m512)b);
#elif SPLAT_LANES == 8
  return (Float)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return select(less(a, b), a, b);
#endif
}

inline Float maximum(Float a, Float b) {
#if SPLAT_LANES == 16
  return (Float)_mm512_max_ps((__m512)a, (__m512)b);
#elif SPLAT_LANES == 8
  return (Float)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return select(less(b, a), a, b);
#endif
}

inline Float absolute(Float a) { return (Float)((Int)a & 0x7fffffff); }

inline Float square_root(Float a) {
#if SPLAT_LANES == 16
  return (Float)_mm512_sqrt_ps((__m512)a);
#elif SPLAT_LANES == 8
  return (Float)_mm256_sqrt_ps((__m256)a);
#else
  Float root;
  for (int lane = 0; lane < kLanes; ++lane) root[lane] = std::sqrt(a[lane]);
  return root;
#endif
}

// 1 / a to within an ulp or two: an estimate and one Newton step, since division is several times slower.
// For a normal, non-zero and finite.
inline Float reciprocal(Float a) {
#if SPLAT_LANES == 16
  const Float estimate = (Float)_mm512_rcp14_ps((__m512)a);
  return multiply_add(estimate, subtract_product(broadcast(1.0f), a, estimate), estimate);
#elif SPLAT_LANES == 8
  const Float estimate = (Float)_mm256_rcp_ps((__m256)a);
  return multiply_add(estimate, subtract_product(broadcast(1.0f), a, estimate), estimate);
#else
  return 1.0f / a;
#endif
}

// Nearest integer, as float, and 2 to that power times `mantissa`.
#if SPLAT_LANES == 16
inline Float nearest(Float a) {
  return (Float)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Float scale_by_power(Float mantissa, Float power) {
  return (Float)_mm512_scalef_ps((__m512)mantissa, (__m512)power);
}
#elif SPLAT_LANES == 8
inline Float nearest(Float a) {
  return (Float)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Float scale_by_power(Float mantissa, Float power) {
  return (Float)((Int)mantissa + (Int)_mm256_slli_epi32(_mm256_cvtps_epi32((__m256)power), 23));
}
#else
// Adding and taking away 1.5 * 2^23 rounds to an integer, for |a| < 2^22; larger values come from nowhere
// that is used.
inline Float nearest(Float a) {
  const Float magic = broadcast(12582912.0f);
  return (a + magic) - magic;
}
inline Float scale_by_power(Float mantissa, Float power) {
  // The integer sits in the low bits of the same sum.
  const Int integer = (Int)(power + 12582912.0f) - 0x4b400000;
  return (Float)((Int)mantissa + (integer << 23));
}
#endif

// 2^f for f in [-0.5, 0.5]: minimax polynomial of degree 5, relative error 2e-7 in float.
inline Float exp2_fraction(Float f) {
  Float p = broadcast(1.326471433e-3f);
  p = multiply_add(p, f, broadcast(9.671512635e-3f));
  p = multiply_add(p, f, broadcast(5.550733774e-2f));
  p = multiply_add(p, f, broadcast(2.402224209e-1f));
  p = multiply_add(p, f, broadcast(6.931469776e-1f));
  return multiply_add(p, f, broadcast(1.0f));
}

// 2^a for a in [-126, 126]. Lanes outside that range hold rubbish that the caller masks away.
inline Float exp2_in_range(Float a) {
  const Float whole = nearest(a);
  return scale_by_power(exp2_fraction(a - whole), whole);
}

// e^a, clamped to the normal float range (1e-38 to 8e37).
inline Float exponential(Float a) {
  constexpr float kLog2e = 1.44269504f, kLog2eRest = 1.92596299e-8f;
  const Float clamped = minimum(broadcast(87.3f), maximum(broadcast(-87.3f), a));
  const Float whole = nearest(clamped * kLog2e);
  const Float fraction =
      multiply_add(clamped, broadcast(kLog2eRest), multiply_add(clamped, broadcast(kLog2e), -whole));
  return scale_by_power(exp2_fraction(fraction), whole);
}

// log2(a) for a positive and normal, absolute error 1e-7: 2^k * m with m in [sqrt(1/2), sqrt(2)), then the
// series of atanh((m - 1) / (m + 1)).
inline Float logarithm2(Float a) {
  const Int shifted = (Int)a - 0x3f3504f3;
  const Int exponent = shifted >> 23;
  const Float mantissa = (Float)((shifted & 0x007fffff) + 0x3f3504f3);
  const Float t = (mantissa - 1.0f) / (mantissa + 1.0f), t2 = t * t;
  Float series = broadcast(0.32059889f);
  series = multiply_add(series, t2, broadcast(0.41219858f));
  series = multiply_add(series, t2, broadcast(0.57707802f));
  series = multiply_add(series, t2, broadcast(0.96179669f));
  series = multiply_add(series, t2, broadcast(2.88539008f));
  Float whole;
  for (int lane = 0; lane < kLanes; ++lane) whole[lane] = static_cast<float>(exponent[lane]);
  return multiply_add(series, t, whole);
}

// ---- sums over lanes ----

inline float sum_lanes(Float a) {
#if SPLAT_LANES == 16
  return _mm512_reduce_add_ps((__m512)a);
#else
  Float sum = a;
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) sum[lane] += sum[lane + width];
  }
  return sum[0];
#endif
}

// Writes the lane sums of nine vectors. Eight of them are added up together while being transposed, a third
// of the work of eight separate sums.
inline void sum_lanes_of_nine(const Float (&values)[9], float* to) {
#if SPLAT_LANES == 16
  Float quads[2];
  for (int half = 0; half < 2; ++half) {
    const __m512 a = (__m512)values[4 * half], b = (__m512)values[4 * half + 1];
    const __m512 c = (__m512)values[4 * half + 2], d = (__m512)values[4 * half + 3];
    const __m512d ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
    const __m512d cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
    quads[half] = (Float)_mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                                       _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
  }
  const __m512 x = (__m512)quads[0], y = (__m512)quads[1];
  const __m512 folded = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
  const __m512 sums = _mm512_add_ps(folded, _mm512_shuffle_f32x4(folded, folded, 0xb1));
  _mm256_storeu_ps(to, _mm512_castps512_ps256(_mm512_shuffle_f32x4(sums, sums, 0x08)));
  to[8] = sum_lanes(values[8]);
#elif SPLAT_LANES == 8
  __m256 quads[2];
  for (int half = 0; half < 2; ++half) {
    const __m256 a = (__m256)values[4 * half], b = (__m256)values[4 * half + 1];
    const __m256 c = (__m256)values[4 * half + 2], d = (__m256)values[4 * half + 3];
    quads[half] = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  }
  _mm256_storeu_ps(to, _mm256_add_ps(_mm256_permute2f128_ps(quads[0], quads[1], 0x20),
                                     _mm256_permute2f128_ps(quads[0], quads[1], 0x31)));
  to[8] = sum_lanes(values[8]);
#else
  for (int i = 0; i < 9; ++i) to[i] = sum_lanes(values[i]);
#endif
}

}  // namespace splat
