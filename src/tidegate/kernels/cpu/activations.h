// The activations on vectors, a few units in the last place wide, and their derivatives as functions of the value.
// Included by isa.h.

template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float kLimit = 87.0f;  // beyond it e^x leaves the normal numbers
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  static constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  // (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, fitted for the least greatest error, which is 4.5e-9 in e^r
  static constexpr float kSeries[] = {0.0013950540451332927f, 0.008368917740881443f, 0.04166620597243309f,
                                      0.166665181517601f, 0.5f};
};

template <>
struct Exponential<double> {
  static constexpr double kLimit = 708.0;
  static constexpr double kLn2High = 6.93145751953125e-1, kLn2Low = 1.42860682030941723212e-6;
  static constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52
  // 1 / n! for n = 13 down to 2: the remainder is below 4e-18
  static constexpr double kSeries[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                       1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                       1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2};
};

// e^(factor * x) = 2^power * (1 + fraction), so that e^y - 1 keeps its digits near 0. The factor, a power of two or its
// negative, goes into the constants.
template <class T, int kFactor>
TIDEGATE_INLINE void exponential(Vector<T> x, Vector<T>& power, Vector<T>& fraction) {
  using E = Exponential<T>;
  constexpr T factor = kFactor, limit = E::kLimit / (kFactor < 0 ? -factor : factor);
  x = larger<T>(smaller<T>(x, splat(limit)), splat(-limit));
  const Vector<T> shifted = x * splat(factor * T(1.44269504088896341)) + splat(E::kShift);
  power = shifted - splat(E::kShift);
  Vector<T> r = x - power * splat(E::kLn2High / factor);
  r = r - power * splat(E::kLn2Low / factor);
  constexpr int kTerms = sizeof(E::kSeries) / sizeof(T);
  T scale = 1;  // factor^n for the term of r^n
  for (int term = 0; term <= kTerms; ++term) scale *= factor;
  Vector<T> series = splat(E::kSeries[0] * scale);
  for (int term = 1; term < kTerms; ++term) {
    scale /= factor;
    series = series * r + splat(E::kSeries[term] * scale);
  }
  fraction = r * (series * r + splat(factor));
}

template <class T>
TIDEGATE_INLINE Vector<T> sigmoid(Vector<T> x) {
  const Vector<T> one = splat(T(1));
  Vector<T> power, fraction;
  exponential<T, -1>(x, power, fraction);
  return quotient<T>(one, one + times_power<T>(one + fraction, power));
}

template <class T>
TIDEGATE_INLINE Vector<T> hyperbolic_tangent(Vector<T> x) {
  const Vector<T> one = splat(T(1));
  Vector<T> power, fraction;
  exponential<T, 2>(x, power, fraction);
  const Vector<T> scale = times_power<T>(one, power), less_one = scale * fraction + (scale - one);  // e^2x - 1
  return quotient<T>(less_one, less_one + splat(T(2)));
}

template <class T>
TIDEGATE_INLINE Vector<T> absolute(Vector<T> x) {
  return x < Vector<T>{} ? -x : x;
}

template <class T>
TIDEGATE_INLINE Vector<T> activate(Activation kind, Vector<T> x) {
  switch (kind) {
    case Activation::kTanh:
      return hyperbolic_tangent<T>(x);
    case Activation::kSigmoid:
      return sigmoid<T>(x);
    case Activation::kHardSigmoid:
      return larger<T>(smaller<T>(x * splat(T(1) / T(6)) + splat(T(0.5)), splat(T(1))), Vector<T>{});
    case Activation::kRelu:
      return larger<T>(x, Vector<T>{});
    case Activation::kSoftsign:
      return x / (splat(T(1)) + absolute<T>(x));
    case Activation::kLinear:
      break;
  }
  return x;
}

// dy/dx from y; at a kink it is 0. The same formulas as DERIVATIVES in activations.py.
template <class T>
TIDEGATE_INLINE Vector<T> derivative(Activation kind, Vector<T> y) {
  const Vector<T> one = splat(T(1)), zero{};
  switch (kind) {
    case Activation::kTanh:
      return one - y * y;
    case Activation::kSigmoid:
      return y * (one - y);
    case Activation::kHardSigmoid:
      return y > zero ? (y < one ? splat(T(1) / T(6)) : zero) : zero;
    case Activation::kRelu:
      return y > zero ? one : zero;
    case Activation::kSoftsign: {
      const Vector<T> rest = one - absolute<T>(y);
      return rest * rest;
    }
    case Activation::kLinear:
      break;
  }
  return one;
}

// The two activations of a cell: known while compiling in a plain one, so that nothing is decided in the inner loop.
struct PlainActivations {
  explicit PlainActivations(const Options&) {}
  static constexpr Activation gate = Activation::kSigmoid, state = Activation::kTanh;
};

struct AnyActivations {
  explicit AnyActivations(const Options& options)
      : gate(options.recurrent_activation), state(options.activation) {}
  const Activation gate, state;
};

inline bool plain_activations(const Options& options) {
  return options.activation == Activation::kTanh && options.recurrent_activation == Activation::kSigmoid;
}
