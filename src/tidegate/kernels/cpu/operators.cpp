#include "operators.h"

#include "arguments.h"
#include "run.h"

namespace tidegate {
namespace {

using Results = std::vector<Tensor>;

template <class T>
Results forward(const Cell& cell, const Arguments& arguments, bool keep) {
  Reading<T> reading(cell, arguments);
  Call<T>& call = reading.call;
  constexpr ScalarType kType = Reading<T>::kType;
  Results results;
  results.push_back(arguments.return_sequences ? reading.new_sequence(call.units, &call.output) : new_tensor({0}, kType));
  const auto state = [&](T** to) {
    results.push_back(new_tensor({call.batch, call.units}, kType));
    *to = static_cast<T*>(results.back().data_ptr());
  };
  state(&call.h_n);
  if (cell.lstm) state(&call.c_n);
  const Tensor reserve = keep ? new_pooled_tensor({call.steps, call.batch, call.reserve_width}, kType) : new_tensor({0}, kType);
  if (keep) call.reserve = static_cast<T*>(reserve.data_ptr());
  run(cell.lstm ? kernels<T>().lstm_forward : kernels<T>().gru_forward, call, 1);
  for (Tensor& result : results) result = converted(result, arguments.dtype());
  results.push_back(reserve);
  return results;
}

// What backward is given beside forward's arguments.
struct Received {
  std::optional<Tensor> output, h_n, c_n;
  Tensor reserve;
  std::vector<bool> needs;
};

template <class T>
T** target(Gradients<T>& gradients, Field field) {
  switch (field) {
    case kH0: return &gradients.h_0;
    case kC0: return &gradients.c_0;
    case kWeightIh: return &gradients.weight_ih;
    case kWeightHh: return &gradients.weight_hh;
    case kBiasIh: return &gradients.bias_ih;
    case kBiasHh: return &gradients.bias_hh;
    case kPeephole: return &gradients.peephole;
    case kNormIh: return &gradients.norm_ih;
    case kNormHh: return &gradients.norm_hh;
    case kNormC: return &gradients.norm_c;
    case kBiasNormC: return &gradients.bias_norm_c;
    default: return nullptr;
  }
}

template <class T>
Results backward(const Cell& cell, const Arguments& arguments, const Received& received) {
  Reading<T> reading(cell, arguments);
  Call<T>& call = reading.call;
  constexpr ScalarType kType = Reading<T>::kType;
  call.reserve = const_cast<T*>(reading.read(received.reserve, "reserve", {call.steps, call.batch, call.reserve_width}));
  if (received.output && arguments.return_sequences) {
    call.grad_output = reading.read_sequence(*received.output, "the gradient of the output", call.units);
  }
  call.grad_h_n = reading.read(received.h_n, "the gradient of h_n", {call.batch, call.units});
  call.grad_c_n = reading.read(received.c_n, "the gradient of c_n", {call.batch, call.units});
  Results results;
  for (size_t index = 0; index < cell.gradients.size(); ++index) {
    const Field field = cell.gradients[index];
    if (!received.needs[index] || !arguments.tensors[field]) {
      results.push_back(new_tensor({0}, arguments.dtype()));
    } else if (field == kInput) {
      results.push_back(reading.new_sequence(call.inputs, &call.gradients.input));
    } else {
      const auto sizes = arguments[field].sizes();
      results.push_back(sizes.size() == 2 ? new_tensor({sizes[0], sizes[1]}, kType) : new_tensor({sizes[0]}, kType));
      *target(call.gradients, field) = static_cast<T*>(results.back().data_ptr());
    }
  }
  run(cell.lstm ? kernels<T>().lstm_backward : kernels<T>().gru_backward, call, 2);
  for (size_t index = 0; index < results.size(); ++index) {
    const std::optional<Tensor>& like = arguments.tensors[cell.gradients[index]];
    if (like) results[index] = converted(results[index], like->scalar_type());
  }
  return results;
}

void give(StableIValue* stack, const Results& results) {
  for (size_t at = 0; at < results.size(); ++at) stack[at] = torch::stable::detail::from(results[at]);
}

// Whether there is a projection, which the reference runs; it stands at `place` among the arguments.
bool handed_on(StableIValue* stack, size_t place, const char* to) {
  if (torch::stable::detail::to<StableIValue*>(stack[place]) == nullptr) return false;
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(to, "", stack, TORCH_ABI_VERSION));
  return true;
}

void run_forward(const Cell& cell, StableIValue* values) {
  Stack stack(values);
  const Arguments arguments = Arguments::take(cell, stack);
  const bool keep = stack.take<bool>();
  const bool wide = arguments.wide();
  give(values, wide ? forward<double>(cell, arguments, keep) : forward<float>(cell, arguments, keep));
}

void run_backward(const Cell& cell, StableIValue* values) {
  Stack stack(values);
  Received received{stack.take_maybe(), stack.take_maybe(), cell.lstm ? stack.take_maybe() : std::nullopt,
                    stack.take<Tensor>(), {}};
  const Arguments arguments = Arguments::take(cell, stack);
  received.needs = stack.take<std::vector<bool>>();
  const bool wide = arguments.wide();
  give(values, wide ? backward<double>(cell, arguments, received) : backward<float>(cell, arguments, received));
}

}  // namespace

void lstm(StableIValue* stack, uint64_t, uint64_t) {
  if (!handed_on(stack, kWeightHr, lstm_cell().reference)) run_forward(lstm_cell(), stack);
}

void lstm_backward(StableIValue* stack, uint64_t, uint64_t) {
  constexpr size_t kLeading = 4;  // gradients of output, h_n and c_n, and the reserve
  if (!handed_on(stack, kLeading + kWeightHr, lstm_cell().reference_backward)) run_backward(lstm_cell(), stack);
}

void gru(StableIValue* stack, uint64_t, uint64_t) { run_forward(gru_cell(), stack); }

void gru_backward(StableIValue* stack, uint64_t, uint64_t) { run_backward(gru_cell(), stack); }

}  // namespace tidegate
