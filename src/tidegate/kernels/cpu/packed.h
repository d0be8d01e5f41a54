// Weights packed once for many calls of inference: an explicit step, so that no edit of a weight can go unseen.
#pragma once

#include <torch/csrc/stable/library.h>

#include <cstdint>

namespace tidegate {

// The arguments of `lstm` and `gru`, of which only the type and width of the input are read; gives the packed weights.
// The last argument asks for int8 weights.
void pack_lstm(StableIValue* stack, uint64_t arguments, uint64_t results);
void pack_gru(StableIValue* stack, uint64_t arguments, uint64_t results);

// Run packed weights: output, h_n and c_n, of which an absent one is empty.
void run_packed(StableIValue* stack, uint64_t arguments, uint64_t results);

}  // namespace tidegate
