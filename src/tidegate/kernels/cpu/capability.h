// Which instruction set the kernels of this library may use.
#pragma once

#include <cstdint>

#include "call.h"

namespace tidegate {

// Ordered: a CPU that has one of them has those before it. `INSTRUCTION_SETS` of native.py names them in this order.
enum class Capability : int64_t {
  kBaseline = 0,  // what every CPU of this architecture has: SSE2 on x86-64, NEON on arm64
  kAvx2 = 1,      // AVX2 and FMA
  kAvx512 = 2,    // AVX-512 F, BW, DQ and VL
  kAvx512Vnni = 3,  // these and VNNI, for int8 weights
};

// The best set that this CPU and its operating system offer, or the limit below if that is lower.
Capability cpu_capability();

// Use no set above this one from now on, on all threads; returns the former limit. For tests and measurements.
Capability limit_cpu_capability(Capability limit);

const KernelSet& chosen_kernels();

}  // namespace tidegate
