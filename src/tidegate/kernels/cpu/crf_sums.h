// Sums over all paths of a conditional random field, in exponentials. Included by isa.h.
//
// Rabiner's (1989) scaled recursions: alpha of every step sums to 1, and beta is scaled by the same factors, so that
// alpha * beta is a probability. An exponential can vanish: e^-1e4 is 0, and a path through it would be lost though it
// may be the only one that is left in the end. Therefore every label that any path leads to must keep a weight that is
// far from the least double. Where one does not, or a number is none, the row is done again in logarithms. What is
// forbidden has a weight of exactly 0, and is not missed.

constexpr int kMostBlock = 4;  // vectors of a row that are worked on at once

// out[block] = sum over k of factors[k] * matrix[k][block], in two chains, for one would wait for its own additions
template <int kBlock>
TIDEGATE_INLINE void block_product(const double* factors, const double* matrix, int64_t count, int64_t pitch, double* out) {
  Vector<double> even[kBlock] = {}, odd[kBlock] = {};
  int64_t k = 0;
  for (; k + 2 <= count; k += 2, matrix += 2 * pitch) {
    const Vector<double> one = splat(factors[k]), two = splat(factors[k + 1]);
    for (int at = 0; at < kBlock; ++at) even[at] += one * load(matrix + at * kLanes<double>);
    for (int at = 0; at < kBlock; ++at) odd[at] += two * load(matrix + pitch + at * kLanes<double>);
  }
  if (k < count) {
    const Vector<double> one = splat(factors[k]);
    for (int at = 0; at < kBlock; ++at) even[at] += one * load(matrix + at * kLanes<double>);
  }
  for (int at = 0; at < kBlock; ++at) store(out + at * kLanes<double>, even[at] + odd[at]);
}

inline void row_product(const double* factors, const double* matrix, int64_t count, int64_t pitch, double* out) {
  int64_t left = pitch / kLanes<double>;
  for (; left >= kMostBlock; left -= kMostBlock) {
    block_product<kMostBlock>(factors, matrix, count, pitch, out);
    matrix += kMostBlock * kLanes<double>;
    out += kMostBlock * kLanes<double>;
  }
  switch (left) {
    case 3: return block_product<3>(factors, matrix, count, pitch, out);
    case 2: return block_product<2>(factors, matrix, count, pitch, out);
    case 1: return block_product<1>(factors, matrix, count, pitch, out);
    default: return;
  }
}

// The emissions of a step in double, -infinity past the labels.
template <class T>
TIDEGATE_INLINE void widen(const CrfCall<T>& call, int64_t row, int64_t step, double* to) {
  const T* from = call.emissions.at(step, row);
  const int64_t stride = call.emissions.feature;
  if (stride == 1) {
    for (int64_t label = 0; label < call.labels; ++label) to[label] = static_cast<double>(from[label]);
  } else {
    for (int64_t label = 0; label < call.labels; ++label) to[label] = static_cast<double>(from[label * stride]);
  }
  for (int64_t label = call.labels; label < call.pitch; ++label) to[label] = -__builtin_inf();
}

TIDEGATE_INLINE bool all_set(Bits<double> flags) {
  int64_t every = -1;
  for (int64_t lane = 0; lane < kLanes<double>; ++lane) every &= flags[lane];
  return every != 0;
}

TIDEGATE_INLINE double greatest_of(Vector<double> value) {
  double greatest = value[0];
  for (int64_t lane = 1; lane < kLanes<double>; ++lane) greatest = value[lane] > greatest ? value[lane] : greatest;
  return greatest;
}

template <class T>
class CrfSums {
 public:
  CrfSums(const CrfCall<T>& call, int64_t row, double* scratch)
      : call_(call),
        row_(row),
        length_(call.length(row)),
        alphas_(scratch),
        emitted_(alphas_ + call.steps * call.pitch),
        rest_(emitted_ + call.steps * call.pitch),
        next_(rest_ + call.pitch),
        scales_(next_ + call.pitch) {}

  bool walk(double* log_partition) {
    if (!forward(log_partition)) return false;
    if (call_.unary && !backward()) return false;
    if (call_.pairs) moves();
    return true;
  }

 private:
  static constexpr int64_t kWidth = kLanes<double>;

  bool forward(double* log_partition) {
    const int64_t pitch = call_.pitch;
    double sum = 0, product = 1;  // log Z so far is their sum, of the second the logarithm
    for (int64_t step = 0; step < length_; ++step) {
      double* const alpha = alphas_ + step * pitch;
      double* const emitted = emitted_ + step * pitch;
      widen(call_, row_, step, emitted);
      if (step > 0) row_product(alpha - pitch, call_.weights, call_.labels, pitch, alpha);
      const double highest = step > 0 ? highest_of(emitted) : highest_at_start(emitted, alpha);
      const double scale = emit(highest, emitted, alpha, call_.reached.at(step));
      if (!(scale > 0)) return false;  // nothing reached, or not a number
      scales_[step] = scale;
      sum += step > 0 ? highest + call_.highest : highest;
      product *= scale;
      if (product < kLeastRest || product > kMostRest) {
        sum += __builtin_log(product);
        product = 1;
      }
    }
    const double left = leave();
    if (!(left >= kLeastWeight)) return false;
    *log_partition = sum + __builtin_log(product) + __builtin_log(left) + call_.highest_end;
    return true;
  }

  double highest_of(const double* scores) const {
    Vector<double> highest = load(scores);
    for (int64_t at = kWidth; at < call_.pitch; at += kWidth) highest = larger<double>(highest, load(scores + at));
    return greatest_of(highest);
  }

  double highest_at_start(double* scores, double* alpha) const {
    for (int64_t at = 0; at < call_.pitch; at += kWidth) {
      store(scores + at, load(scores + at) + load(call_.start + at));
      store(alpha + at, load(call_.open + at));
    }
    return highest_of(scores);
  }

  // Multiplies alpha by e^(score - highest), which stays in place of the scores; scales it to a sum of 1, and gives the
  // sum that it had: 0 if a label falls below its bound.
  double emit(double highest, double* scores, double* alpha, const double* bounds) const {
    Bits<double> fine = Bits<double>{} - 1;
    Vector<double> sum{};
    for (int64_t at = 0; at < call_.pitch; at += kWidth) {
      Vector<double> power, fraction;
      exponential<double, 1>(load(scores + at) - splat(highest), power, fraction);
      const Vector<double> weight = times_power<double>(splat(1.0) + fraction, power);
      const Vector<double> value = load(alpha + at) * weight;
      store(scores + at, weight);
      store(alpha + at, value);
      fine &= value >= load(bounds + at);
      sum += value;
    }
    if (!all_set(fine)) return 0;
    const double scale = sum_of<double>(sum);
    const Vector<double> inverse = splat(1 / scale);
    for (int64_t at = 0; at < call_.pitch; at += kWidth) store(alpha + at, load(alpha + at) * inverse);
    return scale;
  }

  // Gives the weight of the last step's labels at the end, and begins beta with it.
  double leave() {
    const double* const alpha = alphas_ + (length_ - 1) * call_.pitch;
    Vector<double> sum{};
    for (int64_t at = 0; at < call_.pitch; at += kWidth) sum += load(alpha + at) * load(call_.end_weights + at);
    const double left = sum_of<double>(sum);
    for (int64_t at = 0; at < call_.pitch; at += kWidth) store(rest_ + at, load(call_.end_weights + at) * splat(1 / left));
    return left;
  }

  bool backward() {
    const int64_t pitch = call_.pitch, labels = call_.labels;
    for (int64_t step = length_ - 1; step >= 0; --step) {
      const double* const alpha = alphas_ + step * pitch;
      double* const onward = emitted_ + step * pitch;
      const double* const bounds = call_.leaving.at(length_ - 1 - step);
      const Vector<double> inverse = splat(1 / scales_[step]);
      Bits<double> fine = Bits<double>{} - 1;
      for (int64_t at = 0; at < pitch; at += kWidth) {
        const Vector<double> rest = load(rest_ + at);
        fine &= (rest >= load(bounds + at)) & (rest <= splat(kMostRest));
        store(next_ + at, rest * load(alpha + at));
        store(onward + at, rest * load(onward + at) * inverse);
      }
      if (!all_set(fine)) return false;
      T* const to = call_.unary + (row_ * call_.steps + step) * labels;
      for (int64_t label = 0; label < labels; ++label) to[label] = static_cast<T>(call_.sign * next_[label]);
      if (step > 0) row_product(onward, call_.turned_weights, labels, pitch, rest_);
    }
    return true;
  }

  // pairs[i][j] = weights[i][j] * sum over steps of alpha[step - 1][i] * onward[step][j]
  void moves() {
    constexpr int kRows = TIDEGATE_TILE_VECTORS == 4 ? 4 : 2;
    int64_t from = 0;
    for (; from + kRows <= call_.labels; from += kRows) moves_from<kRows>(from);
    for (; from < call_.labels; ++from) moves_from<1>(from);
  }

  template <int kRows>
  void moves_from(int64_t from) {
    const int64_t vectors = call_.pitch / kWidth;
    int64_t at = 0;
    for (; at + kMostBlock <= vectors; at += kMostBlock) tile<kRows, kMostBlock>(from, at * kWidth);
    switch (vectors - at) {
      case 3: return tile<kRows, 3>(from, at * kWidth);
      case 2: return tile<kRows, 2>(from, at * kWidth);
      case 1: return tile<kRows, 1>(from, at * kWidth);
      default: return;
    }
  }

  template <int kRows, int kBlock>
  void tile(int64_t from, int64_t to) {
    const int64_t pitch = call_.pitch;
    Vector<double> sums[kRows][kBlock] = {};
    for (int64_t step = 1; step < length_; ++step) {
      const double* const alpha = alphas_ + (step - 1) * pitch + from;
      const double* const onward = emitted_ + step * pitch + to;
      Vector<double> columns[kBlock];
      for (int at = 0; at < kBlock; ++at) columns[at] = load(onward + at * kWidth);
      for (int row = 0; row < kRows; ++row) {
        const Vector<double> factor = splat(alpha[row]);
        for (int at = 0; at < kBlock; ++at) sums[row][at] += factor * columns[at];
      }
    }
    const int64_t wide = kBlock * kWidth, left = call_.labels - to, count = left < wide ? left : wide;
    double values[kBlock * kWidth];
    for (int row = 0; row < kRows; ++row) {
      const double* const weights = call_.weights + (from + row) * pitch + to;
      for (int at = 0; at < kBlock; ++at) {
        store(values + at * kWidth, sums[row][at] * load(weights + at * kWidth) * splat(call_.sign));
      }
      T* const out = call_.pairs + (row_ * call_.labels + from + row) * call_.labels + to;
      for (int64_t at = 0; at < count; ++at) out[at] = static_cast<T>(values[at]);
    }
  }

  const CrfCall<T>& call_;
  const int64_t row_, length_;
  double *const alphas_, *const emitted_, *const rest_, *const next_, *const scales_;
};

template <class T>
bool crf_sums(const CrfCall<T>& call, int64_t row, double* scratch, double* log_partition) {
  return CrfSums<T>(call, row, scratch).walk(log_partition);
}
