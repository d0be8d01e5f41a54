// The sums over all paths in logarithms: for rows whose scores lie further apart than exponentials reach.
#include <cmath>
#include <limits>
#include <vector>

#include "crf_call.h"

namespace tidegate {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// log of the sum of e^values. Not a number where one of them is none.
double log_sum(const std::vector<double>& values) {
  double highest = kNothing, plain = 0;
  for (const double value : values) {
    highest = value > highest ? value : highest;
    plain += value;
  }
  if (highest == kNothing) return plain;
  double sum = 0;
  for (const double value : values) sum += std::exp(value - highest);
  return highest + std::log(sum);
}

template <class T>
class Logarithms {
 public:
  Logarithms(const CrfCall<T>& call, int64_t row)
      : call_(call),
        row_(row),
        labels_(static_cast<size_t>(call.labels)),
        steps_(static_cast<size_t>(call.length(row))),
        alphas_(steps_ * labels_),
        terms_(labels_) {}

  double walk() {
    for (size_t step = 0; step < steps_; ++step) {
      for (size_t to = 0; to < labels_; ++to) {
        double& alpha = alphas_[step * labels_ + to];
        if (step == 0) {
          alpha = call_.start[to];
        } else {
          for (size_t from = 0; from < labels_; ++from) terms_[from] = alphas_[(step - 1) * labels_ + from] + move(from, to);
          alpha = log_sum(terms_);
        }
        alpha += emission(step, to);
      }
    }
    for (size_t label = 0; label < labels_; ++label) terms_[label] = alphas_[(steps_ - 1) * labels_ + label] + call_.end[label];
    const double total = log_sum(terms_);
    if (call_.unary) backward(total == kNothing ? 0 : total);
    return total;
  }

 private:
  double emission(size_t step, size_t label) const {
    const auto place = static_cast<int64_t>(label) * call_.emissions.feature;
    return static_cast<double>(call_.emissions.at(static_cast<int64_t>(step), row_)[place]);
  }
  double move(size_t from, size_t to) const { return call_.transitions[from * static_cast<size_t>(call_.pitch) + to]; }

  void backward(double total) {
    std::vector<double> beta(call_.end, call_.end + labels_), onward(labels_), expected(call_.pairs ? labels_ * labels_ : 0);
    for (size_t step = steps_; step-- > 0;) {
      const double* const alpha = alphas_.data() + step * labels_;
      T* const unary = call_.unary + (static_cast<size_t>(row_ * call_.steps) + step) * labels_;
      for (size_t label = 0; label < labels_; ++label) {
        unary[label] = static_cast<T>(call_.sign * std::exp(alpha[label] + beta[label] - total));
        onward[label] = emission(step, label) + beta[label];
      }
      if (step == 0) break;
      const double* const before = alpha - labels_;
      for (size_t from = 0; from < labels_; ++from) {
        for (size_t to = 0; to < labels_; ++to) {
          terms_[to] = move(from, to) + onward[to];
          if (call_.pairs) expected[from * labels_ + to] += std::exp(before[from] + terms_[to] - total);
        }
        beta[from] = log_sum(terms_);
      }
    }
    T* const pairs = call_.pairs ? call_.pairs + static_cast<size_t>(row_) * expected.size() : nullptr;
    for (size_t at = 0; at < expected.size(); ++at) pairs[at] = static_cast<T>(call_.sign * expected[at]);
  }

  const CrfCall<T>& call_;
  const int64_t row_;
  const size_t labels_, steps_;
  std::vector<double> alphas_, terms_;
};

}  // namespace

template <class T>
double crf_sums_in_logarithms(const CrfCall<T>& call, int64_t row) {
  return Logarithms<T>(call, row).walk();
}

template double crf_sums_in_logarithms<float>(const CrfCall<float>&, int64_t);
template double crf_sums_in_logarithms<double>(const CrfCall<double>&, int64_t);

}  // namespace tidegate
