#include "packed.h"

#include <algorithm>

#include "arguments.h"
#include "run.h"

namespace tidegate {
namespace {

constexpr int64_t kMagic = 0x7469646567617465;  // "tidegate"
constexpr double kInt8Work = 0.5;                // of a call, beside float32: products cost a quarter, gates the same

// Stands at the start of a packed tensor. Offsets are in bytes from there; 0: absent.
struct Header {
  int64_t magic, bytes, capability;
  int64_t lstm, int8, type, inputs, units;
  Options options;
  int64_t shared, peephole, norm_ih, norm_hh, norm_c, bias_norm_c;
};

const Cell& cell_of(const Header& header) { return header.lstm ? lstm_cell() : gru_cell(); }

template <class T>
const Walks<T>& forward_walks(const Cell& cell, bool int8) {
  if constexpr (sizeof(T) == 4) {
    if (int8) return cell.lstm ? chosen_kernels().int8->lstm : chosen_kernels().int8->gru;
  }
  return cell.lstm ? kernels<T>().lstm_forward : kernels<T>().gru_forward;
}

template <class T>
Tensor pack(const Cell& cell, const Arguments& arguments, bool int8) {
  Reading<T> reading(cell, arguments);
  Call<T>& call = reading.call;
  Header header{};
  size_t bytes = whole_lines(sizeof(Header));
  const auto place = [&](size_t count) {
    const size_t at = bytes;
    bytes += whole_lines(count);
    return static_cast<int64_t>(at);
  };
  const auto place_values = [&](const T* values, int64_t count) {
    return values ? place(static_cast<size_t>(count) * sizeof(T)) : int64_t{0};
  };
  const int64_t units = call.units, columns = call.gates * units;
  header = {kMagic, 0, static_cast<int64_t>(cpu_capability()), cell.lstm, int8, static_cast<int64_t>(arguments.dtype()),
            call.inputs, units, call.options, place(forward_walks<T>(cell, int8).shared_bytes(call)),
            place_values(call.peephole, 3 * units), place_values(call.norm_ih, columns),
            place_values(call.norm_hh, columns), place_values(call.norm_c, units),
            place_values(call.bias_norm_c, units)};
  header.bytes = static_cast<int64_t>(bytes);
  const Tensor packed = new_tensor({header.bytes}, ScalarType::Byte);
  char* base = static_cast<char*>(packed.data_ptr());
  call.shared = base + header.shared;
  forward_walks<T>(cell, int8).prepare(call);
  const auto keep = [&](int64_t offset, const T* values, int64_t count) {
    if (values) std::copy_n(values, count, reinterpret_cast<T*>(base + offset));
  };
  keep(header.peephole, call.peephole, 3 * units);
  keep(header.norm_ih, call.norm_ih, columns);
  keep(header.norm_hh, call.norm_hh, columns);
  keep(header.norm_c, call.norm_c, units);
  keep(header.bias_norm_c, call.bias_norm_c, units);
  std::copy_n(reinterpret_cast<const char*>(&header), sizeof header, base);
  return packed;
}

void pack_cell(const Cell& cell, StableIValue* values) {
  Stack stack(values);
  const Arguments arguments = Arguments::take(cell, stack);
  STD_TORCH_CHECK(!arguments.tensors[kWeightHr], "a projection cannot be packed");
  const bool int8 = stack.take<bool>();
  const bool wide = arguments.wide() && !int8;  // products of int8 come out as float32
  values[0] = torch::stable::detail::from(wide ? pack<double>(cell, arguments, int8) : pack<float>(cell, arguments, int8));
}

Header read_header(const Tensor& packed) {
  Header header{};
  const int64_t bytes = packed.numel();
  STD_TORCH_CHECK(packed.scalar_type() == ScalarType::Byte && packed.is_contiguous() &&
                      bytes >= static_cast<int64_t>(sizeof header),
                  "expected packed weights, as tidegate::pack_lstm and pack_gru give them");
  std::copy_n(static_cast<const char*>(packed.data_ptr()), sizeof header, reinterpret_cast<char*>(&header));
  STD_TORCH_CHECK(header.magic == kMagic && header.bytes == bytes, "these are no packed weights, or not all of them");
  STD_TORCH_CHECK(header.capability == static_cast<int64_t>(cpu_capability()),
                  "these weights are packed for another instruction set; pack them again");
  return header;
}

template <class T>
std::array<Tensor, 3> run_header(const Header& header, const Tensor& packed, const Arguments& arguments) {
  const Cell& cell = cell_of(header);
  Reading<T> reading(cell, arguments, header.inputs, header.units);
  Call<T>& call = reading.call;
  char* base = static_cast<char*>(packed.data_ptr());
  const auto at = [&](int64_t offset) { return offset ? reinterpret_cast<const T*>(base + offset) : nullptr; };
  call.shared = base + header.shared;
  call.peephole = at(header.peephole);
  call.norm_ih = at(header.norm_ih);
  call.norm_hh = at(header.norm_hh);
  call.norm_c = at(header.norm_c);
  call.bias_norm_c = at(header.bias_norm_c);
  constexpr ScalarType kType = Reading<T>::kType;
  std::array<Tensor, 3> results{
      arguments.return_sequences ? reading.new_sequence(call.units, &call.output) : new_tensor({0}, kType),
      new_tensor({call.batch, call.units}, kType), new_tensor({cell.lstm ? call.batch : 0, call.units}, kType)};
  call.h_n = static_cast<T*>(results[1].data_ptr());
  call.c_n = static_cast<T*>(results[2].data_ptr());
  run(forward_walks<T>(cell, header.int8), call, header.int8 ? kInt8Work : 1.0);
  for (Tensor& result : results) result = converted(result, arguments.dtype());
  return results;
}

}  // namespace

void pack_lstm(StableIValue* stack, uint64_t, uint64_t) { pack_cell(lstm_cell(), stack); }

void pack_gru(StableIValue* stack, uint64_t, uint64_t) { pack_cell(gru_cell(), stack); }

void run_packed(StableIValue* values, uint64_t, uint64_t) {
  Stack stack(values);
  const Tensor packed = stack.take<Tensor>();
  const Header header = read_header(packed);
  Arguments arguments;
  arguments.tensors[kInput] = stack.take<Tensor>();
  arguments.tensors[kLengths] = stack.take_maybe();
  arguments.tensors[kH0] = stack.take_maybe();
  arguments.tensors[kC0] = stack.take_maybe();
  arguments.options = header.options;
  arguments.batch_first = stack.take<bool>();
  arguments.options.reverse = stack.take<bool>();
  arguments.return_sequences = stack.take<bool>();
  STD_TORCH_CHECK(static_cast<int64_t>(arguments.dtype()) == header.type, "the weights are packed for another dtype");
  const bool wide = arguments.wide() && !header.int8;
  const auto results = wide ? run_header<double>(header, packed, arguments) : run_header<float>(header, packed, arguments);
  for (size_t at = 0; at < results.size(); ++at) values[at] = torch::stable::detail::from(results[at]);
}

}  // namespace tidegate
