// The operators of conditional random fields: reads the arguments, deals the rows to threads, adds what depends on tags.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "arguments.h"
#include "crf_call.h"
#include "operators.h"
#include "run.h"

namespace tidegate {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();
constexpr int64_t kWidest = 8;  // doubles of the widest vector

template <class T>
const CrfKernels<T>& crf_kernels() {
  if constexpr (std::is_same_v<T, double>) {
    return *chosen_kernels().crf_float64;
  } else {
    return *chosen_kernels().crf_float32;
  }
}

// What `crf`, `crf_marginals` and `crf_decode` are all given.
struct Chain {
  Tensor emissions;
  std::optional<Tensor> lengths;
  Tensor transitions, start, end;

  static Chain take(Stack& stack) {
    // One after the other: the members of a braced list are read in their order.
    return Chain{stack.take<Tensor>(), stack.take_maybe(), stack.take<Tensor>(), stack.take<Tensor>(), stack.take<Tensor>()};
  }
  bool wide() const {
    const ScalarType type = emissions.scalar_type();
    STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::Double, "expected emissions of float32 or float64");
    return type == ScalarType::Double;
  }
};

// The highest score, and e^(score - highest) of all: a score of -infinity becomes a weight of exactly 0.
double to_weights(const std::vector<double>& scores, std::vector<double>& weights) {
  double highest = *std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(highest)) highest = 0;
  weights.resize(scores.size());
  std::transform(scores.begin(), scores.end(), weights.begin(), [&](double score) { return std::exp(score - highest); });
  return highest;
}

// The scores of a call in double, padded, and what follows from them.
class Scores {
 public:
  template <class T>
  Scores(const T* transitions, const T* start, const T* end, int64_t labels, int64_t steps)
      : labels_(static_cast<size_t>(labels)),
        pitch_(static_cast<size_t>((labels + kWidest - 1) / kWidest * kWidest)),
        moves_(labels_ * pitch_, kNothing),
        turned_(moves_),
        start_(pitch_, kNothing),
        end_(start_),
        open_(pitch_, 0.0) {
    for (size_t from = 0; from < labels_; ++from) {
      for (size_t to = 0; to < labels_; ++to) {
        moves_[from * pitch_ + to] = turned_[to * pitch_ + from] = static_cast<double>(transitions[from * labels_ + to]);
      }
    }
    std::copy_n(start, labels_, start_.begin());
    std::copy_n(end, labels_, end_.begin());
    for (size_t label = 0; label < pitch_; ++label) open_[label] = start_[label] == kNothing ? 0.0 : 1.0;
    highest_ = to_weights(moves_, weights_);
    to_weights(turned_, turned_weights_);
    highest_end_ = to_weights(end_, end_weights_);
    reached_ = bounds(start_, turned_, kLeastWeight, steps);
    leaving_ = bounds(end_, moves_, kLeastRest, steps);
  }

  template <class T>
  void give(CrfCall<T>& call) const {
    call.pitch = static_cast<int64_t>(pitch_);
    call.transitions = moves_.data();
    call.turned = turned_.data();
    call.start = start_.data();
    call.end = end_.data();
    call.weights = weights_.data();
    call.turned_weights = turned_weights_.data();
    call.open = open_.data();
    call.end_weights = end_weights_.data();
    call.highest = highest_;
    call.highest_end = highest_end_;
    call.reached = {reached_.data(), static_cast<int64_t>(reached_.size() / pitch_), call.pitch};
    call.leaving = {leaving_.data(), static_cast<int64_t>(leaving_.size() / pitch_), call.pitch};
  }

 private:
  // The bound of each label, step by step from `first` on: `least` where a path has come, until nothing changes any more.
  // scores[next][now] is that of the move from `now` to `next`, whichever way one walks.
  std::vector<double> bounds(const std::vector<double>& first, const std::vector<double>& scores, double least,
                             int64_t steps) const {
    std::vector<double> all(pitch_, 0.0), next(pitch_, 0.0);
    for (size_t label = 0; label < labels_; ++label) all[label] = first[label] == kNothing ? 0.0 : least;
    for (int64_t step = 1; step < steps; ++step) {
      const double* const now = all.data() + all.size() - pitch_;
      for (size_t to = 0; to < labels_; ++to) {
        bool come = false;
        for (size_t from = 0; from < labels_ && !come; ++from) {
          come = now[from] > 0 && scores[to * pitch_ + from] != kNothing;
        }
        next[to] = come ? least : 0.0;
      }
      if (std::equal(next.begin(), next.end(), now)) break;
      all.insert(all.end(), next.begin(), next.end());
    }
    return all;
  }

  size_t labels_, pitch_;
  std::vector<double> moves_, turned_, start_, end_, open_, weights_, turned_weights_, end_weights_;
  std::vector<double> reached_, leaving_;
  double highest_ = 0, highest_end_ = 0;
};

// The pointers and sizes of a call; what they point to lives as long as this does.
template <class T>
class CrfReading {
 public:
  static constexpr ScalarType kType = sizeof(T) == 8 ? ScalarType::Double : ScalarType::Float;

  explicit CrfReading(const Chain& chain)
      : emissions_(chain.emissions), scores_(read_scores(chain)) {
    const auto strides = emissions_.strides();
    call.emissions = {static_cast<const T*>(emissions_.data_ptr()), strides[1], strides[0], strides[2]};
    call.batch = emissions_.sizes()[0];
    call.steps = emissions_.sizes()[1];
    call.labels = emissions_.sizes()[2];
    if (chain.lengths) call.lengths = whole_numbers(*chain.lengths, {call.batch}, "lengths");
    scores_.give(call);
  }

  CrfCall<T> call{};

  const int64_t* whole_numbers(const Tensor& tensor, std::initializer_list<int64_t> sizes, const char* name) {
    const auto given = tensor.sizes();
    STD_TORCH_CHECK(tensor.scalar_type() == ScalarType::Long && given.size() == sizes.size() &&
                        std::equal(sizes.begin(), sizes.end(), given.begin()),
                    "expected ", name, " as int64 of the sizes of the emissions");
    held_.push_back(torch::stable::contiguous(tensor));
    return static_cast<const int64_t*>(held_.back().data_ptr());
  }

 private:
  Scores read_scores(const Chain& chain) {
    STD_TORCH_CHECK(emissions_.dim() == 3 && emissions_.sizes()[2] > 0, "expected emissions [batch, time, label]");
    const int64_t labels = emissions_.sizes()[2];
    return Scores(read(chain.transitions, {labels, labels}), read(chain.start, {labels}), read(chain.end, {labels}), labels,
                  emissions_.sizes()[1]);
  }

  const T* read(const Tensor& tensor, std::initializer_list<int64_t> sizes) {
    const auto given = tensor.sizes();
    STD_TORCH_CHECK(tensor.scalar_type() == kType && given.size() == sizes.size() &&
                        std::equal(sizes.begin(), sizes.end(), given.begin()),
                    "expected scores of the emissions' dtype for each of their labels");
    held_.push_back(torch::stable::contiguous(tensor));
    return static_cast<const T*>(held_.back().data_ptr());
  }

  std::vector<Tensor> held_;  // before what reads it
  Tensor emissions_;
  Scores scores_;
};

// Calls `each(row, scratch)` for all rows, on torch's threads.
template <class T, class Each>
void for_rows(const CrfCall<T>& call, double passes, const Each& each) {
  const double moves = static_cast<double>(call.batch * call.steps) * static_cast<double>(call.labels * (call.labels + 10));
  const int64_t tasks = worthwhile_tasks(call.batch, 2.0 * passes * moves, torch::stable::get_num_threads());
  const Deal deal(call.batch, call.steps, call.lengths, tasks);
  const size_t bytes = whole_lines(static_cast<size_t>(crf_scratch(call)) * sizeof(double));
  const Block block(take_block(bytes * static_cast<size_t>(deal.tasks())));
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      auto* const scratch = reinterpret_cast<double*>(block.get() + static_cast<size_t>(task) * bytes);
      for (int32_t at = deal.first[static_cast<size_t>(task)]; at < deal.first[static_cast<size_t>(task) + 1]; ++at) {
        each(static_cast<int64_t>(deal.rows[static_cast<size_t>(at)]), scratch);
      }
    }
  };
  if (deal.tasks() == 1) {
    run(0, 1);
  } else {
    torch::stable::parallel_for(0, deal.tasks(), 1, run);
  }
}

// Log Z of a row, with its marginals and moves where they are wanted.
template <class T>
double sums(const CrfCall<T>& call, int64_t row, double* scratch) {
  const int64_t length = call.length(row), labels = call.labels;
  if (call.unary) {
    T* const unary = call.unary + row * call.steps * labels;
    std::fill(unary + length * labels, unary + call.steps * labels, T(0));
  }
  if (length == 0) {
    if (call.pairs) std::fill_n(call.pairs + row * labels * labels, labels * labels, T(0));
    return 0;  // the empty path alone
  }
  double log_partition = 0;
  if (crf_kernels<T>().sums(call, row, scratch, &log_partition)) return log_partition;
  return crf_sums_in_logarithms(call, row);
}

// The score of the path that the tags are, which is also counted off what is expected. -infinity if one is no label.
template <class T>
double count_path(const CrfCall<T>& call, int64_t row, const int64_t* tags) {
  const auto known = [&](int64_t tag) { return tag >= 0 && tag < call.labels; };
  const int64_t length = call.length(row);
  double score = 0;
  int64_t before = -1;
  for (int64_t step = 0; step < length; ++step) {
    const int64_t tag = tags[step];
    if (known(tag)) {
      score += static_cast<double>(call.emissions.at(step, row)[tag * call.emissions.feature]);
      if (step == 0) score += call.start[tag];
      if (step == length - 1) score += call.end[tag];
      if (call.unary) call.unary[(row * call.steps + step) * call.labels + tag] += T(1);
    } else {
      score += kNothing;
    }
    if (step > 0 && known(tag) && known(before)) {
      score += call.transitions[before * call.pitch + tag];
      if (call.pairs) call.pairs[(row * call.labels + before) * call.labels + tag] += T(1);
    }
    before = tag;
  }
  return score;
}

template <class T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

template <class T>
void likelihood(const Chain& chain, const Tensor& tags, bool keep, StableIValue* results) {
  CrfReading<T> reading(chain);
  CrfCall<T>& call = reading.call;
  constexpr ScalarType kType = CrfReading<T>::kType;
  const int64_t* const paths = reading.whole_numbers(tags, {call.batch, call.steps}, "tags");
  const Tensor result = new_tensor({call.batch}, kType);
  const Tensor unary = keep ? new_pooled_tensor({call.batch, call.steps, call.labels}, kType) : new_tensor({0}, kType);
  const Tensor pairs = keep ? new_pooled_tensor({call.batch, call.labels, call.labels}, kType) : new_tensor({0}, kType);
  call.sign = -1;
  call.unary = keep ? data<T>(unary) : nullptr;
  call.pairs = keep ? data<T>(pairs) : nullptr;
  T* const likelihoods = data<T>(result);
  for_rows(call, keep ? 3 : 1, [&](int64_t row, double* scratch) {
    const double log_partition = sums(call, row, scratch);
    likelihoods[row] = static_cast<T>(count_path(call, row, paths + row * call.steps) - log_partition);
  });
  results[0] = torch::stable::detail::from(result);
  results[1] = torch::stable::detail::from(unary);
  results[2] = torch::stable::detail::from(pairs);
}

template <class T>
void marginals(const Chain& chain, StableIValue* results) {
  CrfReading<T> reading(chain);
  CrfCall<T>& call = reading.call;
  const Tensor unary = new_tensor({call.batch, call.steps, call.labels}, CrfReading<T>::kType);
  const Tensor result = new_tensor({call.batch}, CrfReading<T>::kType);
  call.sign = 1;
  call.unary = data<T>(unary);
  T* const log_partitions = data<T>(result);
  for_rows(call, 2, [&](int64_t row, double* scratch) { log_partitions[row] = static_cast<T>(sums(call, row, scratch)); });
  results[0] = torch::stable::detail::from(unary);
  results[1] = torch::stable::detail::from(result);
}

template <class T>
void decode(const Chain& chain, StableIValue* results) {
  CrfReading<T> reading(chain);
  CrfCall<T>& call = reading.call;
  const Tensor paths = new_tensor({call.batch, call.steps}, ScalarType::Long);
  const Tensor result = new_tensor({call.batch}, CrfReading<T>::kType);
  call.paths = data<int64_t>(paths);
  T* const scores = data<T>(result);
  for_rows(call, 1, [&](int64_t row, double* scratch) {
    const int64_t length = call.length(row);
    std::fill(call.paths + row * call.steps + length, call.paths + (row + 1) * call.steps, int64_t{0});
    scores[row] = length == 0 ? T(0) : static_cast<T>(crf_kernels<T>().best(call, row, scratch));
  });
  results[0] = torch::stable::detail::from(paths);
  results[1] = torch::stable::detail::from(result);
}

}  // namespace

void crf(StableIValue* values, uint64_t, uint64_t) {
  Stack stack(values);
  const Chain chain = Chain::take(stack);
  const Tensor tags = stack.take<Tensor>();
  const bool keep = stack.take<bool>();
  chain.wide() ? likelihood<double>(chain, tags, keep, values) : likelihood<float>(chain, tags, keep, values);
}

void crf_marginals(StableIValue* values, uint64_t, uint64_t) {
  Stack stack(values);
  const Chain chain = Chain::take(stack);
  chain.wide() ? marginals<double>(chain, values) : marginals<float>(chain, values);
}

void crf_decode(StableIValue* values, uint64_t, uint64_t) {
  Stack stack(values);
  const Chain chain = Chain::take(stack);
  chain.wide() ? decode<double>(chain, values) : decode<float>(chain, values);
}

}  // namespace tidegate
