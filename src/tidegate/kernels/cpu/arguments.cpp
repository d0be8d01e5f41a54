#include "arguments.h"

#include "pool.h"

#if defined(__GNUC__) || defined(__clang__)
#define TIDEGATE_WEAK __attribute__((weak))
// Of torch 2.11, declared weakly: on 2.10, which this library serves too, it is null.
extern "C" TIDEGATE_WEAK AOTITorchError torch_from_blob(void* data, int64_t ndim, const int64_t* sizes, const int64_t* strides,
                                                        int64_t storage_offset, int32_t dtype, int32_t device_type,
                                                        int32_t device_index, AtenTensorHandle* ret, int32_t layout,
                                                        const uint8_t* opaque_metadata, int64_t opaque_metadata_size,
                                                        void (*deleter)(void* data, void* context), void* context);
#endif

namespace tidegate {
namespace {

// A contiguous tensor's strides, and how many elements it has.
struct Extent {
  int64_t strides[3];
  int64_t count = 1;

  explicit Extent(std::initializer_list<int64_t> sizes) {
    for (size_t at = sizes.size(); at-- > 0; count *= sizes.begin()[at]) strides[at] = count;
  }
};

int32_t shim_type(ScalarType type) { return torch::stable::detail::to<int32_t>(torch::stable::detail::from(type)); }

const char* const kNames[kFieldCount] = {
    "input",     "lengths",   "h_0",           "c_0",       "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr",
    "weight_peephole", "weight_norm_ih", "weight_norm_hh", "weight_norm_c", "bias_norm_c", "mask_x", "mask_h", "seed"};

std::string shown(const int64_t* sizes, size_t count) {
  std::string text = "[";
  for (size_t at = 0; at < count; ++at) text += (at ? ", " : "") + std::to_string(sizes[at]);
  return text + "]";
}

void expect_sizes(const Tensor& tensor, const char* name, std::initializer_list<int64_t> sizes) {
  const auto given = tensor.sizes();
  bool same = given.size() == sizes.size();
  for (size_t at = 0; same && at < sizes.size(); ++at) same = given[at] == sizes.begin()[at];
  STD_TORCH_CHECK(same, "expected ", name, " of shape ", shown(sizes.begin(), sizes.size()), "; got ",
                  shown(given.data(), given.size()));
}

bool required(Field field) { return field == kInput || field == kWeightIh || field == kWeightHh; }

Rounding rounding_of(ScalarType type) {
  return type == ScalarType::BFloat16 ? Rounding::kBfloat16 : type == ScalarType::Half ? Rounding::kFloat16 : Rounding::kNone;
}

}  // namespace

const Cell& lstm_cell() {
  static const Cell cell{
      "tidegate::lstm_reference",
      "tidegate::lstm_backward_reference",
      true,
      4,
      6,
      {kInput, kLengths, kH0, kC0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kWeightHr, kPeephole, kNormIh, kNormHh, kNormC,
       kBiasNormC, kMaskX, kMaskH, kSeed},
      {kInput, kH0, kC0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kWeightHr, kPeephole, kNormIh, kNormHh, kNormC,
       kBiasNormC}};
  return cell;
}

const Cell& gru_cell() {
  static const Cell cell{"",
                         "",
                         false,
                         3,
                         5,
                         {kInput, kLengths, kH0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kNormIh, kNormHh, kMaskX, kMaskH, kSeed},
                         {kInput, kH0, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kNormIh, kNormHh}};
  return cell;
}

bool Arguments::wide() const {
  const ScalarType type = dtype();
  STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::Double || type == ScalarType::BFloat16 ||
                      type == ScalarType::Half,
                  "expected an input of float32, float64, bfloat16 or float16");
  return type == ScalarType::Double;
}

Arguments Arguments::take(const Cell& cell, Stack& stack) {
  Arguments arguments;
  for (Field field : cell.fields) {
    if (required(field)) {
      arguments.tensors[field] = stack.take<Tensor>();
    } else {
      arguments.tensors[field] = stack.take_maybe();
    }
  }
  Options& options = arguments.options;
  options.activation = static_cast<Activation>(stack.take<int64_t>());
  options.recurrent_activation = static_cast<Activation>(stack.take<int64_t>());
  options.zoneout_hidden = stack.take<double>();
  options.zoneout_cell = cell.lstm ? stack.take<double>() : 0.0;
  options.reset_after = cell.lstm || stack.take<bool>();
  arguments.batch_first = stack.take<bool>();
  options.reverse = stack.take<bool>();
  arguments.return_sequences = stack.take<bool>();
  return arguments;
}

Tensor converted(const Tensor& tensor, ScalarType type) {
  return tensor.scalar_type() == type ? tensor : torch::stable::to(tensor, type);
}

Tensor new_tensor(std::initializer_list<int64_t> sizes, ScalarType type) {
  const Extent extent(sizes);
  AtenTensorHandle handle = nullptr;  // not torch::stable::empty, which looks its operator up by name each time
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(static_cast<int64_t>(sizes.size()), sizes.begin(),
                                                         extent.strides, shim_type(type), aoti_torch_device_type_cpu(),
                                                         0, &handle));
  return Tensor(handle);
}

Tensor new_pooled_tensor(std::initializer_list<int64_t> sizes, ScalarType type) {
#ifdef TIDEGATE_WEAK
  constexpr int64_t kLeast = 1 << 16;  // below it the system's allocator does as well
  const Extent extent(sizes);
  const int64_t bytes = extent.count * (type == ScalarType::Double ? 8 : 4);
  if (torch_from_blob && bytes >= kLeast) {
    Block block(take_block(static_cast<size_t>(bytes)));
    AtenTensorHandle handle = nullptr;
    STABLE_TORCH_ERROR_CODE_CHECK(torch_from_blob(
        block.get(), static_cast<int64_t>(sizes.size()), sizes.begin(), extent.strides, 0, shim_type(type),
        aoti_torch_device_type_cpu(), -1, &handle, aoti_torch_layout_strided(), nullptr, 0,
        [](void* data, void*) { give_block(data); }, nullptr));
    block.release();
    return Tensor(handle);
  }
#endif
  return new_tensor(sizes, type);
}

template <class T>
Reading<T>::Reading(const Cell& cell, const Arguments& arguments, int64_t inputs, int64_t units) : arguments_(arguments) {
  const Tensor& input = arguments[kInput];
  STD_TORCH_CHECK(input.dim() == 3, "expected an input of three dimensions; got ", input.dim());
  const auto sizes = input.sizes();
  call.batch = sizes[arguments.batch_first ? 0 : 1];
  call.steps = sizes[arguments.batch_first ? 1 : 0];
  call.inputs = inputs;
  call.units = units;
  call.gates = cell.gates;
  call.options = arguments.options;
  call.rounding = rounding_of(arguments.dtype());
  call.input = read_sequence(input, kNames[kInput], inputs);
  call.h_0 = at(kH0, {call.batch, units});
  call.c_0 = at(kC0, {call.batch, units});
  call.lengths = whole_numbers(kLengths, call.batch);
}

template <class T>
Reading<T>::Reading(const Cell& cell, const Arguments& arguments)
    : Reading(cell, arguments, arguments[kWeightIh].sizes()[1], arguments[kWeightIh].sizes()[0] / cell.gates) {
  const int64_t units = call.units, columns = cell.gates * units;
  call.weight_ih = at(kWeightIh, {columns, call.inputs});
  call.weight_hh = at(kWeightHh, {columns, units});
  call.bias_ih = at(kBiasIh, {columns});
  call.bias_hh = at(kBiasHh, {columns});
  call.peephole = at(kPeephole, {3 * units});
  call.norm_ih = at(kNormIh, {columns});
  call.norm_hh = at(kNormHh, {columns});
  call.norm_c = at(kNormC, {units});
  call.bias_norm_c = at(kBiasNormC, {units});
  call.mask_x = at(kMaskX, {call.batch, call.inputs});
  call.mask_h = at(kMaskH, {call.batch, units});
  call.seed = whole_numbers(kSeed, 1);
  STD_TORCH_CHECK((call.norm_ih != nullptr) == (call.norm_hh != nullptr), "both products are normalised, or neither");
  STD_TORCH_CHECK(!call.norm_ih || call.options.reset_after, "layer normalisation needs reset_after=True");
  call.reserve_width = (cell.kept + (call.norm_ih ? 2 * cell.gates : 0)) * units;
}

template <class T>
const T* Reading<T>::at(Field field, std::initializer_list<int64_t> sizes) {
  return read(arguments_.tensors[field], kNames[field], sizes);
}

template <class T>
const int64_t* Reading<T>::whole_numbers(Field field, int64_t count) {
  if (!arguments_.tensors[field]) return nullptr;
  expect_sizes(arguments_[field], kNames[field], {count});
  held_.push_back(torch::stable::contiguous(converted(arguments_[field], ScalarType::Long)));
  return static_cast<const int64_t*>(held_.back().data_ptr());
}

template <class T>
const T* Reading<T>::read(const std::optional<Tensor>& tensor, const char* name, std::initializer_list<int64_t> sizes) {
  if (!tensor) return nullptr;
  expect_sizes(*tensor, name, sizes);
  if (tensor->scalar_type() == kType && tensor->is_contiguous()) return static_cast<const T*>(tensor->data_ptr());
  held_.push_back(torch::stable::contiguous(converted(*tensor, kType)));
  return static_cast<const T*>(held_.back().data_ptr());
}

template <class T>
Sequence<const T> Reading<T>::read_sequence(const Tensor& tensor, const char* name, int64_t features) {
  if (arguments_.batch_first) {
    expect_sizes(tensor, name, {call.batch, call.steps, features});
  } else {
    expect_sizes(tensor, name, {call.steps, call.batch, features});
  }
  if (tensor.scalar_type() != kType) held_.push_back(converted(tensor, kType));
  const Tensor& read = tensor.scalar_type() == kType ? tensor : held_.back();
  const auto strides = read.strides();
  const int time = arguments_.batch_first ? 1 : 0;
  return {static_cast<const T*>(read.data_ptr()), strides[time], strides[1 - time], strides[2]};
}

template <class T>
Tensor Reading<T>::new_sequence(int64_t features, Sequence<T>* to) {
  const bool batch_first = arguments_.batch_first;
  const int64_t outer = batch_first ? call.batch : call.steps, inner = batch_first ? call.steps : call.batch;
  Tensor tensor = new_tensor({outer, inner, features}, kType);
  *to = {static_cast<T*>(tensor.data_ptr()), batch_first ? features : inner * features,
         batch_first ? inner * features : features, 1};
  return tensor;
}

template class Reading<float>;
template class Reading<double>;

}  // namespace tidegate
