// The operators' arguments as they lie on torch's stack, in the order of the schemas in ops.py.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "call.h"

namespace tidegate {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

enum Field : int {
  kInput, kLengths, kH0, kC0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kWeightHr, kPeephole, kNormIh, kNormHh, kNormC,
  kBiasNormC, kMaskX, kMaskH, kSeed, kFieldCount
};

// What tells one cell's operators from the other's.
struct Cell {
  const char* reference;           // operators that take over where these kernels cannot
  const char* reference_backward;
  bool lstm;
  int64_t gates;
  int64_t kept;                    // values kept for backward, per row, step and unit
  std::vector<Field> fields;       // in the order of the schema
  std::vector<Field> gradients;    // those of them that have one
};

const Cell& lstm_cell();
const Cell& gru_cell();

// Takes values off the stack, from the first to the last.
class Stack {
 public:
  explicit Stack(StableIValue* values) : next_(values) {}

  template <class V>
  V take() {
    return torch::stable::detail::to<V>(*next_++);
  }
  std::optional<Tensor> take_maybe() { return take<std::optional<Tensor>>(); }

 private:
  StableIValue* next_;
};

struct Arguments {
  std::array<std::optional<Tensor>, kFieldCount> tensors;
  Options options{};
  bool batch_first = false, return_sequences = true;

  static Arguments take(const Cell& cell, Stack& stack);
  const Tensor& operator[](Field field) const { return *tensors[field]; }
  ScalarType dtype() const { return tensors[kInput]->scalar_type(); }
  // Whether to compute in double, not in float. Throws if the input's type is none that the kernels know.
  bool wide() const;
};

// A tensor's values in another type, or the tensor itself.
Tensor converted(const Tensor& tensor, ScalarType type);

Tensor new_tensor(std::initializer_list<int64_t> sizes, ScalarType type);

// The same on a block that is used again (pool.h), where torch can be told how to give it back: from 2.11 on.
Tensor new_pooled_tensor(std::initializer_list<int64_t> sizes, ScalarType type);

// The pointers and sizes of a call. What had to be converted or laid out anew lives as long as this does.
template <class T>
class Reading {
 public:
  Reading(const Cell& cell, const Arguments& arguments);
  // Without weights, whose sizes are told: they lie packed elsewhere.
  Reading(const Cell& cell, const Arguments& arguments, int64_t inputs, int64_t units);

  Call<T> call{};
  // A tensor in T, contiguous; null where it is absent. Its sizes must be as expected: the kernels do not look again.
  const T* read(const std::optional<Tensor>& tensor, const char* name, std::initializer_list<int64_t> sizes);
  // A sequence in T, of any strides.
  Sequence<const T> read_sequence(const Tensor& tensor, const char* name, int64_t features);
  // A sequence to write to, contiguous in the layout of the call.
  Tensor new_sequence(int64_t features, Sequence<T>* to);
  static constexpr ScalarType kType = sizeof(T) == 8 ? ScalarType::Double : ScalarType::Float;

 private:
  const T* at(Field field, std::initializer_list<int64_t> sizes);
  const int64_t* whole_numbers(Field field, int64_t count);

  const Arguments& arguments_;
  std::vector<Tensor> held_;
};

extern template class Reading<float>;
extern template class Reading<double>;

}  // namespace tidegate
