// The operators as torch calls them: boxed, in the stable calling convention.
#pragma once

#include <torch/csrc/stable/library.h>

#include <cstdint>

namespace tidegate {

void lstm(StableIValue* stack, uint64_t arguments, uint64_t results);
void lstm_backward(StableIValue* stack, uint64_t arguments, uint64_t results);
void gru(StableIValue* stack, uint64_t arguments, uint64_t results);
void gru_backward(StableIValue* stack, uint64_t arguments, uint64_t results);
void crf(StableIValue* stack, uint64_t arguments, uint64_t results);
void crf_marginals(StableIValue* stack, uint64_t arguments, uint64_t results);
void crf_decode(StableIValue* stack, uint64_t arguments, uint64_t results);

}  // namespace tidegate
