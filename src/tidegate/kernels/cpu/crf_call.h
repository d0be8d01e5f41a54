// What a walk over the rows of a linear-chain conditional random field reads and writes: plain pointers and sizes.
//
// Everything is summed in double, whatever the type T of the emissions. A row of labels is `pitch` doubles long, which
// is a whole number of the widest vectors; what lies past the labels adds nothing: weights of 0, scores of -infinity.
#pragma once

#include "call.h"

namespace tidegate {

// The bounds within which sums of exponentials are trusted, see crf_sums.h.
constexpr double kLeastWeight = 1e-140, kLeastRest = 1e-150, kMostRest = 1e150;

// Bounds that rise with reachability: row `step` for a step, the last row for all steps after it.
struct Bounds {
  const double* values;
  int64_t rows, pitch;

  const double* at(int64_t step) const { return values + (step < rows ? step : rows - 1) * pitch; }
};

template <class T>
struct CrfCall {
  int64_t batch, steps, labels, pitch;
  Sequence<const T> emissions;
  const int64_t* lengths;  // null: every row is full

  // Scores [label][pitch], as they are and turned round ([to][from]); of start and end [pitch].
  const double *transitions, *turned, *start, *end;
  // e^(score - the highest of them), likewise; of the start only whether it is allowed, 1 or 0.
  const double *weights, *turned_weights, *open, *end_weights;
  double highest, highest_end;
  Bounds reached;  // kLeastWeight for a label that some path leads to, by the steps from the start; else 0
  Bounds leaving;  // kLeastRest for a label that some path leads on from, by the steps to the end; else 0

  double sign;     // of what is written to `unary` and `pairs`
  T* unary;        // the probability of each label, [row][step][label]; null: not wanted
  T* pairs;        // how often each move is expected, [row][from][to]; null: not wanted
  int64_t* paths;  // [row][step]

  int64_t length(int64_t row) const { return lengths ? lengths[row] : steps; }
};

// Doubles of scratch that a walk needs.
template <class T>
int64_t crf_scratch(const CrfCall<T>& call) {
  return (2 * call.steps + 2) * call.pitch + call.steps;
}

// What one instruction set offers for one type.
template <class T>
struct CrfKernels {
  // Writes `unary` and `pairs` of a row and gives its log Z. False: exponentials do not suffice, and nothing that was
  // written counts.
  bool (*sums)(const CrfCall<T>&, int64_t row, double* scratch, double* log_partition);
  // Writes the path of a row, and gives its score.
  double (*best)(const CrfCall<T>&, int64_t row, double* scratch);
};

// The same as `sums` in logarithms, whatever the scores: many times slower, and for any row.
template <class T>
double crf_sums_in_logarithms(const CrfCall<T>& call, int64_t row);

extern template double crf_sums_in_logarithms<float>(const CrfCall<float>&, int64_t);
extern template double crf_sums_in_logarithms<double>(const CrfCall<double>&, int64_t);

}  // namespace tidegate
