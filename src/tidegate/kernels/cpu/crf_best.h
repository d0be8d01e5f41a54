// The best path of a conditional random field (Viterbi, 1967). Included by isa.h.
//
// Forwards only the best score of each label is kept. Which label it came from is found on the way back, for those on the
// path alone.

template <int kBlock>
TIDEGATE_INLINE void block_best(const double* before, const double* scores, int64_t count, int64_t pitch, double* best) {
  Vector<double> found[kBlock];
  for (int at = 0; at < kBlock; ++at) found[at] = splat(-__builtin_inf());
  for (int64_t from = 0; from < count; ++from, scores += pitch) {
    const Vector<double> so_far = splat(before[from]);
    for (int at = 0; at < kBlock; ++at) found[at] = larger<double>(found[at], so_far + load(scores + at * kLanes<double>));
  }
  for (int at = 0; at < kBlock; ++at) store(best + at * kLanes<double>, found[at]);
}

inline void row_best(const double* before, const double* scores, int64_t count, int64_t pitch, double* best) {
  int64_t left = pitch / kLanes<double>;
  for (; left >= kMostBlock; left -= kMostBlock) {
    block_best<kMostBlock>(before, scores, count, pitch, best);
    scores += kMostBlock * kLanes<double>;
    best += kMostBlock * kLanes<double>;
  }
  switch (left) {
    case 3: return block_best<3>(before, scores, count, pitch, best);
    case 2: return block_best<2>(before, scores, count, pitch, best);
    case 1: return block_best<1>(before, scores, count, pitch, best);
    default: return;
  }
}

// The first label of the highest before[label] + scores[label].
inline int64_t first_best(const double* before, const double* scores, int64_t labels) {
  int64_t found = 0;
  for (int64_t label = 1; label < labels; ++label) {
    if (before[label] + scores[label] > before[found] + scores[found]) found = label;
  }
  return found;
}

template <class T>
double crf_best(const CrfCall<T>& call, int64_t row, double* scratch) {
  const int64_t length = call.length(row), pitch = call.pitch, width = kLanes<double>;
  double* const emitted = scratch + call.steps * pitch;
  Bits<double> unknown{};
  for (int64_t step = 0; step < length; ++step) {
    double* const best = scratch + step * pitch;
    widen(call, row, step, emitted);
    if (step > 0) row_best(best - pitch, call.transitions, call.labels, pitch, best);
    for (int64_t at = 0; at < pitch; at += width) {
      const Vector<double> emission = load(emitted + at);
      unknown |= emission != emission;
      store(best + at, load((step > 0 ? best : call.start) + at) + emission);
    }
  }
  const double* const last = scratch + (length - 1) * pitch;
  int64_t label = first_best(last, call.end, call.labels);
  const double score = last[label] + call.end[label];
  int64_t* const path = call.paths + row * call.steps;
  path[length - 1] = label;
  for (int64_t step = length - 1; step > 0; --step) {
    label = first_best(scratch + (step - 1) * pitch, call.turned + label * pitch, call.labels);
    path[step - 1] = label;
  }
  return all_set(~unknown) ? score : __builtin_nan("");
}
