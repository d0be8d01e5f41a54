// How int8 weights and the rows that they meet are made, and how a few of them are multiplied. Included by isa.h.
//
//   out[r][n] = s_r * s_n * sum over k of q[r][k] * w[n][k],   q[r][k] = round(row[r][k] / s_r), all of them in [-127, 127]
//
// s_n is max|weights of the column| / 127, fixed by packing; s_r is max|row| / 127, found for each row at each step. The
// sums are int32, and the same on every instruction set. A lane of 32 bits holds a group of neighbouring k: as many as
// one instruction multiplies and adds up.

using Lanes = Bits<float>;

#if TIDEGATE_VECTOR_BYTES >= 32
using Narrow = int8_t;
#else
using Narrow = int16_t;
#endif
typedef Narrow NarrowLanes __attribute__((vector_size(TIDEGATE_VECTOR_BYTES / 4 * sizeof(Narrow))));

constexpr int64_t kGroup = 4 / static_cast<int64_t>(sizeof(Narrow));
constexpr int64_t groups_of(int64_t depth) { return (depth + kGroup - 1) / kGroup; }

#ifdef TIDEGATE_VNNI
// The instruction multiplies bytes without a sign by bytes with one: the rows' are shifted by 128, and the sums start
// from what that adds to them, 128 times the sum of the column's weights.
constexpr int kShift = 128;
constexpr int kAccumulators = 24;
#else
constexpr int kShift = 0;
constexpr int kAccumulators = TIDEGATE_VECTOR_BYTES == 64 ? 16 : 8;
#endif

// A group of a row, in every lane.
struct Factor {
  explicit TIDEGATE_INLINE Factor(int32_t group) : value(group - Lanes{}) {
#if TIDEGATE_VECTOR_BYTES == 64 && !defined(TIDEGATE_VNNI)
    negative = _mm512_movepi8_mask((__m512i)value);
    size = (Lanes)_mm512_abs_epi8((__m512i)value);
#elif TIDEGATE_VECTOR_BYTES == 32
    size = (Lanes)_mm256_abs_epi8((__m256i)value);
#endif
  }
  Lanes value;
#if TIDEGATE_VECTOR_BYTES == 64 && !defined(TIDEGATE_VNNI)
  Lanes size;
  __mmask64 negative;
#elif TIDEGATE_VECTOR_BYTES == 32
  Lanes size;
#endif
};

// sums + the products of a group with the weights of as many columns as there are lanes. Where bytes are multiplied in
// pairs, the pair's sum is an int16: 2 * 127 * 127 fits, 2 * 255 * 127 would not. So the rows go in without their sign,
// which the weights take on.
TIDEGATE_INLINE Lanes multiplied(Lanes sums, const Factor& factor, Lanes weights) {
#if defined(TIDEGATE_VNNI)
  return (Lanes)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)factor.value, (__m512i)weights);
#elif TIDEGATE_VECTOR_BYTES == 64
  const __m512i w = (__m512i)weights, signed_w = _mm512_mask_sub_epi8(w, factor.negative, _mm512_setzero_si512(), w);
  const __m512i pairs = _mm512_maddubs_epi16((__m512i)factor.size, signed_w);
  return sums + (Lanes)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#elif TIDEGATE_VECTOR_BYTES == 32
  const __m256i signed_w = _mm256_sign_epi8((__m256i)weights, (__m256i)factor.value);
  const __m256i pairs = _mm256_maddubs_epi16((__m256i)factor.size, signed_w);
  return sums + (Lanes)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__SSE2__)
  return sums + (Lanes)_mm_madd_epi16((__m128i)factor.value, (__m128i)weights);
#else
  constexpr int kHalf = 16;
  const Lanes low = ((factor.value << kHalf) >> kHalf) * ((weights << kHalf) >> kHalf);
  return sums + low + (factor.value >> kHalf) * (weights >> kHalf);
#endif
}

// To the nearest whole number, ties to even; of NaN, anything.
TIDEGATE_INLINE Lanes whole(Vector<float> values) {
#if TIDEGATE_VECTOR_BYTES == 64
  return (Lanes)_mm512_cvtps_epi32((__m512)values);
#elif TIDEGATE_VECTOR_BYTES == 32
  return (Lanes)_mm256_cvtps_epi32((__m256)values);
#elif defined(__SSE2__)
  return (Lanes)_mm_cvtps_epi32((__m128)values);
#else
  for (int64_t lane = 0; lane < kLanes<float>; ++lane) values[lane] = __builtin_rintf(values[lane]);
  return __builtin_convertvector(values == values ? values : Vector<float>{}, Lanes);
#endif
}

// How values are quantised. What is not finite makes the scale NaN, and so all that comes of it.
struct Quantiser {
  static constexpr float kMost = 127.0f, kLeast = 1e-30f;  // below it everything counts as 0
  float scale, inverse;

  explicit TIDEGATE_INLINE Quantiser(float most) {
    most += most - most;  // infinity turns to NaN
    scale = most < kLeast ? 0.0f : most * (1.0f / kMost);
    inverse = most < kLeast ? 0.0f : kMost / most;
  }
};

// As whole numbers the bits of |v| are ordered as |v| is, with infinity and NaN on top: neither goes unseen.
constexpr int32_t kMagnitude = 0x7FFFFFFF;

typedef int32_t Quad __attribute__((vector_size(16)));

TIDEGATE_INLINE Quad larger_of(Quad a, Quad b) { return a > b ? a : b; }

TIDEGATE_INLINE Lanes larger_of_lanes(Lanes a, Lanes b) {
#if TIDEGATE_VECTOR_BYTES == 64
  return (Lanes)_mm512_max_epi32((__m512i)a, (__m512i)b);
#else
  return a > b ? a : b;
#endif
}

TIDEGATE_INLINE float largest_of(Lanes bits) {
#if TIDEGATE_VECTOR_BYTES == 64
  const Quad a = __builtin_shufflevector(bits, bits, 0, 1, 2, 3), b = __builtin_shufflevector(bits, bits, 4, 5, 6, 7);
  const Quad c = __builtin_shufflevector(bits, bits, 8, 9, 10, 11), d = __builtin_shufflevector(bits, bits, 12, 13, 14, 15);
  Quad quad = larger_of(larger_of(a, b), larger_of(c, d));
#elif TIDEGATE_VECTOR_BYTES == 32
  const Quad a = __builtin_shufflevector(bits, bits, 0, 1, 2, 3), b = __builtin_shufflevector(bits, bits, 4, 5, 6, 7);
  Quad quad = larger_of(a, b);
#else
  Quad quad = bits;
#endif
  quad = larger_of(quad, __builtin_shufflevector(quad, quad, 2, 3, 0, 1));
  quad = larger_of(quad, __builtin_shufflevector(quad, quad, 1, 0, 3, 2));
  float largest;
  __builtin_memcpy(&largest, &quad, sizeof largest);
  return largest;
}

TIDEGATE_INLINE void store_narrow(Narrow* to, Lanes values) {
  values += kShift;
#if TIDEGATE_VECTOR_BYTES == 32
  const __m128i low = _mm256_castsi256_si128((__m256i)values), high = _mm256_extracti128_si256((__m256i)values, 1);
  const __m128i words = _mm_packs_epi32(low, high);
  const auto narrow = (NarrowLanes)_mm_cvtsi128_si64(_mm_packs_epi16(words, words));
#else
  const NarrowLanes narrow = __builtin_convertvector(values, NarrowLanes);
#endif
  __builtin_memcpy(to, &narrow, sizeof narrow);
}

TIDEGATE_INLINE Quantiser quantiser_of(const float* values, int64_t count) {
  Lanes most{};
  for (int64_t at = 0; at < count; at += kLanes<float>) {
    most = larger_of_lanes(most, (Lanes)load_up_to(values + at, count - at) & kMagnitude);
  }
  return Quantiser(largest_of(most));
}

// Quantise a row; gives its scale.
TIDEGATE_INLINE float quantise(const float* row, int64_t count, int32_t* groups) {
  const Quantiser quantiser = quantiser_of(row, count);
  if (count == 1) {  // of a single number nothing is lost, and nothing is left to compute
    const auto value = static_cast<Narrow>((*row < 0 ? -127 : 127) + kShift);
    __builtin_memset(groups, 0, sizeof(int32_t));
    __builtin_memcpy(groups, &value, sizeof value);
    return quantiser.scale;
  }
  for (int64_t at = 0; at < count; at += kLanes<float>) {
    const Lanes values = whole(load_up_to(row + at, count - at) * splat(quantiser.inverse));
    store_narrow(reinterpret_cast<Narrow*>(groups) + at, values);
  }
  return quantiser.scale;
}
