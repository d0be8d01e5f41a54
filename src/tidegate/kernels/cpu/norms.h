// Layer normalisation of a row (Ba et al., 2016). Included by isa.h.

constexpr double kNormEpsilon = 1e-5;  // NORM_EPS in reference.py

template <class T>
struct Moments {
  T mean, rstd;
};

// The sum of use(at, left) over the vectors of a row, in four chains: one would wait for its own last addition.
template <class T, class Use>
TIDEGATE_INLINE T sum_over(int64_t count, const Use& use) {
  constexpr int64_t kChains = 4, kStride = kChains * kLanes<T>;
  Vector<T> sums[kChains] = {};
  int64_t at = 0;
  for (; at + kStride <= count; at += kStride) {
    for (int64_t chain = 0; chain < kChains; ++chain) sums[chain] += use(at + chain * kLanes<T>, kLanes<T>);
  }
  for (; at < count; at += kLanes<T>) sums[0] += use(at, count - at);
  return sum_of<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Two passes: the mean first, then the squares of what is left, which a single pass would lose to cancellation.
template <class T>
TIDEGATE_INLINE Moments<T> moments(const T* values, int64_t count) {
  const T total = sum_over<T>(count, [&](int64_t at, int64_t left) { return load_up_to(values + at, left); });
  const T mean = total / static_cast<T>(count);
  const T squares = sum_over<T>(count, [&](int64_t at, int64_t left) {
    const Vector<T> rest = first_lanes<T>(load_up_to(values + at, left) - splat(mean), left);
    return rest * rest;
  });
  return {mean, T(1) / std::sqrt(squares / static_cast<T>(count) + static_cast<T>(kNormEpsilon))};
}

template <class T>
TIDEGATE_INLINE Vector<T> normalised(Vector<T> value, Moments<T> m) {
  return (value - splat(m.mean)) * splat(m.rstd);
}

// The weighted norms of both products of a row, on top of `biases`: to[at] = bias + w_x * norm(x) + w_h * norm(h).
template <class T>
void norm_products(const T* x, const T* x_weight, const T* h, const T* h_weight, const T* biases, int64_t count, T* to) {
  const Moments<T> of_x = moments(x, count), of_h = moments(h, count);
  for (int64_t at = 0; at < count; at += kLanes<T>) {
    const int64_t left = count - at;
    Vector<T> sum = load(biases + at);
    sum += normalised<T>(load_up_to(x + at, left), of_x) * load_up_to(x_weight + at, left);
    sum += normalised<T>(load_up_to(h + at, left), of_h) * load_up_to(h_weight + at, left);
    store(to + at, sum);
  }
}

// From the gradient of the norm's output to that of its input, in `to`, which is another row; adds to the gradient of
// the norm's weight.
template <class T>
void norm_backward(const T* values, const T* weight, const T* gradient, int64_t count, T* to, T* weight_gradient) {
  const Moments<T> m = moments(values, count);
  const T along = sum_over<T>(count, [&](int64_t at, int64_t left) {
    const Vector<T> g = load_up_to(gradient + at, left), n = normalised<T>(load_up_to(values + at, left), m);
    store_up_to(weight_gradient + at, load_up_to(weight_gradient + at, left) + g * n, left);
    const Vector<T> scaled = g * load_up_to(weight + at, left);  // 0 past the end, for g is
    store_up_to(to + at, scaled, left);
    return scaled * n;
  });
  const T total = sum_over<T>(count, [&](int64_t at, int64_t left) { return load_up_to(to + at, left); });
  const T mean = total / static_cast<T>(count), slope = along / static_cast<T>(count);
  for (int64_t at = 0; at < count; at += kLanes<T>) {
    const int64_t left = count - at;
    const Vector<T> n = normalised<T>(load_up_to(values + at, left), m);
    store_up_to(to + at, splat(m.rstd) * (load_up_to(to + at, left) - splat(mean) - n * splat(slope)), left);
  }
}
