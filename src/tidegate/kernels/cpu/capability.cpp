#include "capability.h"

#include <algorithm>
#include <atomic>

#include "kernels.h"

namespace tidegate {
namespace {

#ifdef TIDEGATE_WIDER_SETS

// The builtins ask the operating system too (XGETBV): a set whose registers it does not save counts as absent.
Capability detect() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return __builtin_cpu_supports("avx512vnni") ? Capability::kAvx512Vnni : Capability::kAvx512;
  return avx2 ? Capability::kAvx2 : Capability::kBaseline;
}

#else

// Other architectures have one level, and so do compilers without targets for single functions.
Capability detect() { return Capability::kBaseline; }

#endif

std::atomic<Capability> chosen_limit{Capability::kAvx512Vnni};

}  // namespace

Capability cpu_capability() {
  static const Capability found = detect();
  return std::min(found, chosen_limit.load(std::memory_order_relaxed));
}

Capability limit_cpu_capability(Capability limit) { return chosen_limit.exchange(limit); }

const KernelSet& chosen_kernels() {
#ifdef TIDEGATE_WIDER_SETS
  static const KernelSet sets[] = {baseline::kernel_set(), avx2::kernel_set(), avx512::kernel_set(),
                                   avx512_vnni::kernel_set()};
#else
  static const KernelSet sets[] = {baseline::kernel_set()};
#endif
  return sets[static_cast<int64_t>(cpu_capability())];
}

}  // namespace tidegate
