// Vectors of the instruction set at hand, in the compiler's own vector types: arithmetic, comparison and selection are
// plain operators. Included by isa.h inside the namespace of one instruction set; TIDEGATE_VECTOR_BYTES is its width.

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(TIDEGATE_VECTOR_BYTES)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  using type = int32_t;
};
template <>
struct BitsOf<double> {
  using type = int64_t;
};
template <class T>
using Bits = typename VectorOf<typename BitsOf<T>::type>::type;

template <class T>
constexpr int64_t kLanes = TIDEGATE_VECTOR_BYTES / static_cast<int64_t>(sizeof(T));

template <class T>
constexpr int64_t padded(int64_t count) {
  return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

template <class T>
TIDEGATE_INLINE Vector<T> splat(T value) {
  return value - Vector<T>{};  // not value + 0, which the compiler may not drop: -0 + 0 is +0
}

template <class T>
TIDEGATE_INLINE Vector<T> load(const T* from) {
  Vector<T> value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
TIDEGATE_INLINE void store(T* to, Vector<T> value) {
  __builtin_memcpy(to, &value, sizeof value);
}

// The first `count` lanes; what lies past them is neither read nor written.
#if TIDEGATE_VECTOR_BYTES == 64
TIDEGATE_INLINE Vector<float> load_some(const float* from, int64_t count) {
  return (Vector<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
TIDEGATE_INLINE Vector<double> load_some(const double* from, int64_t count) {
  return (Vector<double>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
TIDEGATE_INLINE void store_some(float* to, Vector<float> value, int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), (__m512)value);
}
TIDEGATE_INLINE void store_some(double* to, Vector<double> value, int64_t count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), (__m512d)value);
}
#else
template <class T>
TIDEGATE_INLINE Vector<T> load_some(const T* from, int64_t count) {
  T lanes[kLanes<T>] = {};
  for (int64_t lane = 0; lane < count; ++lane) lanes[lane] = from[lane];
  return load(lanes);
}
template <class T>
TIDEGATE_INLINE void store_some(T* to, Vector<T> value, int64_t count) {
  T lanes[kLanes<T>];
  store(lanes, value);
  for (int64_t lane = 0; lane < count; ++lane) to[lane] = lanes[lane];
}
#endif

template <class T>
TIDEGATE_INLINE Vector<T> load_up_to(const T* from, int64_t count) {
  return count >= kLanes<T> ? load(from) : load_some(from, count);
}

template <class T>
TIDEGATE_INLINE void store_up_to(T* to, Vector<T> value, int64_t count) {
  if (count >= kLanes<T>) {
    store(to, value);
  } else {
    store_some(to, value, count);
  }
}

// The smaller and the larger of two; NaN in `a` stays.
template <class T>
TIDEGATE_INLINE Vector<T> smaller(Vector<T> a, Vector<T> b) {
  return a > b ? b : a;
}
template <class T>
TIDEGATE_INLINE Vector<T> larger(Vector<T> a, Vector<T> b) {
  return a < b ? b : a;
}

// value * 2^power, for a whole power that leaves 2^power a normal number.
template <class T>
TIDEGATE_INLINE Vector<T> times_power(Vector<T> value, Vector<T> power) {
  constexpr int kMantissa = sizeof(T) == 4 ? 23 : 52, kBias = sizeof(T) == 4 ? 127 : 1023;
  const Bits<T> bits = (__builtin_convertvector(power, Bits<T>) + kBias) << kMantissa;
  Vector<T> scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return value * scale;
}

#if TIDEGATE_VECTOR_BYTES == 64  // single instructions, which the compiler does not find
template <>
TIDEGATE_INLINE Vector<float> smaller<float>(Vector<float> a, Vector<float> b) {
  return (Vector<float>)_mm512_min_ps((__m512)b, (__m512)a);
}
template <>
TIDEGATE_INLINE Vector<float> larger<float>(Vector<float> a, Vector<float> b) {
  return (Vector<float>)_mm512_max_ps((__m512)b, (__m512)a);
}
template <>
TIDEGATE_INLINE Vector<float> times_power<float>(Vector<float> value, Vector<float> power) {
  return (Vector<float>)_mm512_scalef_ps((__m512)value, (__m512)power);
}
#endif

// a / b. A division of sixteen floats costs sixteen cycles; an estimate and one step of Newton's cost five, for half a
// unit in the last place more.
template <class T>
TIDEGATE_INLINE Vector<T> quotient(Vector<T> a, Vector<T> b) {
  return a / b;
}
#if TIDEGATE_VECTOR_BYTES == 64
template <>
TIDEGATE_INLINE Vector<float> quotient<float>(Vector<float> a, Vector<float> b) {
  const Vector<float> estimate = (Vector<float>)_mm512_rcp14_ps((__m512)b);
  return a * (estimate + estimate * (splat(1.0f) - b * estimate));
}
#endif

// `value` in the first `count` lanes, 0 in the others.
template <class T>
TIDEGATE_INLINE Vector<T> first_lanes(Vector<T> value, int64_t count) {
  if (count >= kLanes<T>) return value;
  for (int64_t lane = count; lane < kLanes<T>; ++lane) value[lane] = T(0);
  return value;
}

// The sum of all lanes, halves first: a chain of additions would cost as much as a pass over the row.
template <class T, int kCount>
TIDEGATE_INLINE T sum_of_lanes(const T* lanes) {
  if constexpr (kCount == 1) {
    return lanes[0];
  } else {
    typedef T Half __attribute__((vector_size(kCount / 2 * sizeof(T))));
    Half low, high;
    __builtin_memcpy(&low, lanes, sizeof low);
    __builtin_memcpy(&high, lanes + kCount / 2, sizeof high);
    low += high;
    T rest[kCount / 2];
    __builtin_memcpy(rest, &low, sizeof low);
    return sum_of_lanes<T, kCount / 2>(rest);
  }
}

template <class T>
TIDEGATE_INLINE T sum_of(Vector<T> value) {
  T lanes[kLanes<T>];
  store(lanes, value);
  return sum_of_lanes<T, kLanes<T>>(lanes);
}
