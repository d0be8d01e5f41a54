// The kernels for one instruction set. Included, after the standard headers, by one source file for each: it sets
//   TIDEGATE_ISA            the namespace
//   TIDEGATE_VECTOR_BYTES   the width of a vector
//   TIDEGATE_TILE_VECTORS   the vectors of a register tile: 4 where there are 32 registers, 2 where there are 16
//   TIDEGATE_VNNI           where int8 kernels alone are wanted, on VNNI
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
#include "weights.h"
#include "int8_lanes.h"
#include "int8_products.h"
#include "int8_steps.h"
#include "lstm_forward.h"
#include "gradients.h"
#include "lstm_backward.h"
#include "gru_forward.h"
#include "gru_backward.h"
#include "crf_sums.h"
#include "crf_best.h"

// Task 0 has at least as many rows as any other.
template <template <class> class Walker, class T>
size_t private_bytes(const Call<T>& call) {
  Arena shared(nullptr), arena(nullptr);
  const Walker<T> walker(call, 0, shared, arena);
  return arena.used();
}

template <template <class> class Walker, class T, size_t (*kSharedBytes)(const Call<T>&), void (*kPrepare)(const Call<T>&)>
void walk(const Call<T>& call, int32_t task) {
  Call<T> own = call;
  char* const block = call.private_blocks + task * call.private_bytes;
  if (!call.shared) {
    own.shared = block + call.private_bytes - kSharedBytes(call);
    kPrepare(own);
  }
  Arena shared(own.shared), arena(block);
  Walker<T> walker(own, task, shared, arena);
  if (plain_activations(call.options)) {
    walker.template walk<PlainActivations>();
  } else {
    walker.template walk<AnyActivations>();
  }
}

template <template <class> class Walker, class T, size_t (*kSharedBytes)(const Call<T>&), void (*kPrepare)(const Call<T>&)>
constexpr Walks<T> walks(void (*collect)(const Call<T>&, int64_t, int64_t)) {
  return {kSharedBytes, &private_bytes<Walker, T>, kPrepare, &walk<Walker, T, kSharedBytes, kPrepare>, collect};
}

template <class T>
using LstmForward = LstmForwardOn<T, PlainMatrix<T>>;
template <class T>
using GruForward = GruForwardOn<T, PlainMatrix<T>>;
template <class T>
using LstmInt8 = LstmForwardOn<T, Int8Matrix>;
template <class T>
using GruInt8 = GruForwardOn<T, Int8Matrix>;

constexpr Int8Kernels kInt8 = {
    walks<LstmInt8, float, &lstm_shared_bytes<float, Int8Matrix>, &lstm_prepare<float, Int8Matrix>>(nullptr),
    walks<GruInt8, float, &gru_shared_bytes<float, Int8Matrix>, &gru_prepare<float, Int8Matrix>>(nullptr)};

#ifdef TIDEGATE_VNNI
}  // namespace

// Everything else is the same as without the instruction.
KernelSet kernel_set() {
  KernelSet set = avx512::kernel_set();
  set.int8 = &kInt8;
  return set;
}

#else
template <class T>
constexpr Kernels<T> kernels() {
  using Matrix = PlainMatrix<T>;
  return {walks<LstmForward, T, &lstm_shared_bytes<T, Matrix>, &lstm_prepare<T, Matrix>>(nullptr),
          walks<LstmBackward, T, &lstm_back_shared_bytes<T>, &lstm_back_prepare<T>>(&lstm_collect<T>),
          walks<GruForward, T, &gru_shared_bytes<T, Matrix>, &gru_prepare<T, Matrix>>(nullptr),
          walks<GruBackward, T, &gru_back_shared_bytes<T>, &gru_back_prepare<T>>(&gru_collect<T>)};
}

constexpr Kernels<float> kFloat32 = kernels<float>();
constexpr Kernels<double> kFloat64 = kernels<double>();
constexpr CrfKernels<float> kCrfFloat32 = {&crf_sums<float>, &crf_best<float>};
constexpr CrfKernels<double> kCrfFloat64 = {&crf_sums<double>, &crf_best<double>};

}  // namespace

KernelSet kernel_set() { return {&kFloat32, &kFloat64, &kInt8, &kCrfFloat32, &kCrfFloat64}; }
#endif

}  // namespace tidegate::TIDEGATE_ISA
