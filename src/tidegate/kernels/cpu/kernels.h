// The kernels of every instruction set that the compiler can produce code for.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "call.h"
#include "crf_call.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define TIDEGATE_WIDER_SETS
#include <immintrin.h>
#endif

namespace tidegate {

namespace baseline {
KernelSet kernel_set();
}
#ifdef TIDEGATE_WIDER_SETS
namespace avx2 {
KernelSet kernel_set();
}
namespace avx512 {
KernelSet kernel_set();
}
namespace avx512_vnni {
KernelSet kernel_set();
}
#endif

}  // namespace tidegate
