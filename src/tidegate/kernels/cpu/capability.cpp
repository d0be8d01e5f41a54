#include "capability.h"

namespace tidegate {
namespace {

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))

// The builtins ask the operating system too (XGETBV): a set whose registers it does not save counts as absent.
Capability detect() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Capability::kAvx512;
  return avx2 ? Capability::kAvx2 : Capability::kBaseline;
}

#else

// Other architectures have one level, and with MSVC there is no per-function target that a wider kernel would need.
Capability detect() { return Capability::kBaseline; }

#endif

}  // namespace

Capability cpu_capability() {
  static const Capability found = detect();
  return found;
}

}  // namespace tidegate
