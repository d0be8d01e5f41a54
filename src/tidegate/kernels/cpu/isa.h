// The kernels for one instruction set. Included, after the standard headers, by one source file for each: it sets
//   TIDEGATE_ISA            the namespace
//   TIDEGATE_VECTOR_BYTES   the width of a vector
//   TIDEGATE_TILE_VECTORS   the vectors of a register tile: 4 where there are 32 registers, 2 where there are 16
// and what follows is compiled for that set. Nothing of the standard library is instantiated in here: the linker keeps
// one copy of such a function, and on an older processor it must not be one that was compiled for a newer.
#define TIDEGATE_INLINE inline __attribute__((always_inline))

namespace tidegate::TIDEGATE_ISA {
namespace {

#include "vectors.h"
#include "activations.h"
#include "products.h"
#include "philox.h"
#include "rows.h"
#include "norms.h"
#include "lstm_forward.h"
#include "gradients.h"
#include "lstm_backward.h"
#include "gru_forward.h"
#include "gru_backward.h"

// Task 0 has at least as many rows as any other.
template <template <class> class Walker, class T>
size_t private_bytes(const Call<T>& call) {
  Arena shared(nullptr), arena(nullptr);
  const Walker<T> walker(call, 0, shared, arena);
  return arena.used();
}

template <template <class> class Walker, class T>
void walk(const Call<T>& call, int32_t task) {
  Arena shared(call.shared), arena(call.private_blocks + task * call.private_bytes);
  Walker<T> walker(call, task, shared, arena);
  if (plain_activations(call.options)) {
    walker.template walk<PlainActivations>();
  } else {
    walker.template walk<AnyActivations>();
  }
}

template <class T>
constexpr Kernels<T> kernels() {
  return {{&lstm_shared_bytes<T>, &private_bytes<LstmForward, T>, &lstm_prepare<T>, &walk<LstmForward, T>, nullptr},
          {&lstm_back_shared_bytes<T>, &private_bytes<LstmBackward, T>, &lstm_back_prepare<T>, &walk<LstmBackward, T>,
           &lstm_collect<T>},
          {&gru_shared_bytes<T>, &private_bytes<GruForward, T>, &gru_prepare<T>, &walk<GruForward, T>, nullptr},
          {&gru_back_shared_bytes<T>, &private_bytes<GruBackward, T>, &gru_back_prepare<T>, &walk<GruBackward, T>,
           &gru_collect<T>}};
}

constexpr Kernels<float> kFloat32 = kernels<float>();
constexpr Kernels<double> kFloat64 = kernels<double>();

}  // namespace

KernelSet kernel_set() { return {&kFloat32, &kFloat64}; }

}  // namespace tidegate::TIDEGATE_ISA
