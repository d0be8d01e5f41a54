// What a walk over one direction of one layer reads and writes: plain pointers and sizes, free of torch.
//
// T is the accumulators' type, float or double. Half precision is widened at the operators' boundary; `rounding` says
// what the operands of products are rounded to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate {

// The numbers are those of `Activation` in options.py.
enum class Activation : int64_t { kTanh, kSigmoid, kHardSigmoid, kRelu, kSoftsign, kLinear };

enum class Rounding { kNone, kBfloat16, kFloat16 };

// A sequence of any layout: feature f of row b at step t lies at data[t * step + b * row + f * feature].
template <class T>
struct Sequence {
  T* data = nullptr;  // null: absent
  int64_t step = 0;
  int64_t row = 0;
  int64_t feature = 0;

  T* at(int64_t t, int64_t b) const { return data + t * step + b * row; }
};

struct Options {
  Activation activation;
  Activation recurrent_activation;
  double zoneout_hidden;
  double zoneout_cell;
  bool reset_after;
  bool reverse;
};

// Gradients that are wanted; null where they are not. Shapes are those of the tensors, contiguous.
template <class T>
struct Gradients {
  Sequence<T> input;
  T *h_0 = nullptr, *c_0 = nullptr;
  T *weight_ih = nullptr, *weight_hh = nullptr, *bias_ih = nullptr, *bias_hh = nullptr;
  T *peephole = nullptr, *norm_ih = nullptr, *norm_hh = nullptr, *norm_c = nullptr, *bias_norm_c = nullptr;
};

template <class T>
struct Call {
  int64_t steps, batch, inputs, units;
  int64_t gates;  // 4: i, f, g, o (LSTM); 3: r, z, n (GRU)
  Options options;
  Rounding rounding;

  // Read. Everything but sequences is contiguous; null: absent.
  Sequence<const T> input;
  const int64_t* lengths;
  const T *h_0, *c_0, *weight_ih, *weight_hh, *bias_ih, *bias_hh;
  const T *peephole, *norm_ih, *norm_hh, *norm_c, *bias_norm_c, *mask_x, *mask_h;
  const int64_t* seed;

  // Forward writes, backward reads: [step][row][reserve_width].
  T* reserve;
  int64_t reserve_width;

  // Forward writes.
  Sequence<T> output;
  T *h_n, *c_n;

  // Backward reads and writes.
  Sequence<const T> grad_output;
  const T *grad_h_n, *grad_c_n;
  Gradients<T> gradients;

  // How the rows are dealt to tasks: task k walks rows[first[k]] to rows[first[k + 1] - 1], in order of falling length.
  const int32_t* rows;
  const int32_t* first;
  int32_t tasks;

  // Scratch: the packed weights, and a block for each task. Without shared weights every task packs its own, at the end
  // of its block: small ones are packed sooner than another core's cache gives them up.
  char* shared;
  char* private_blocks;
  size_t private_bytes;

  T* kept(int64_t step, int64_t row) const { return reserve + (step * batch + row) * reserve_width; }
  bool normed() const { return norm_ih != nullptr; }
  bool zoned() const { return options.zoneout_hidden > 0 || options.zoneout_cell > 0; }
};

// What one instruction set offers for one cell and one type. A call goes through them in this order, on one thread but
// for `walk`, which runs once for every task, and `collect`, which runs over any partition of [0, gates * units).
template <class T>
struct Walks {
  size_t (*shared_bytes)(const Call<T>&);
  size_t (*private_bytes)(const Call<T>&);
  void (*prepare)(const Call<T>&);  // packs the weights into the shared scratch, if there is one
  void (*walk)(const Call<T>&, int32_t task);
  void (*collect)(const Call<T>&, int64_t begin, int64_t end);  // sums what the tasks have found; null: nothing to do
};

template <class T>
struct Kernels {
  Walks<T> lstm_forward, lstm_backward, gru_forward, gru_backward;
};

// Forwards on int8 weights; the rest of the arithmetic is float's.
struct Int8Kernels {
  Walks<float> lstm, gru;
};

template <class T>
struct CrfKernels;  // of conditional random fields, see crf_call.h

// One for each instruction set that the compiler can produce code for; null where it cannot.
struct KernelSet {
  const Kernels<float>* float32;
  const Kernels<double>* float64;
  const Int8Kernels* int8;
  const CrfKernels<float>* crf_float32;
  const CrfKernels<double>* crf_float64;
};

}  // namespace tidegate
