// The extension module `tidegate.kernels._cpu`. Importing it registers this library's operators with torch, and
// that is all it does: they are called through `torch.ops.tidegate`.
//
// Only Python's limited API and torch's stable interface (torch/csrc/stable, torch/headeronly) may be used in this
// folder: that is what lets one binary serve every Python >= 3.11 and torch >= 2.10. setup.py compiles each *.cpp
// here with the same flags, for the oldest CPU of the architecture; code for a wider instruction set says so itself
// (kernels_avx2.cpp, kernels_avx512.cpp), and is entered only after asking `cpu_capability`.
//
// Reading order: call.h (what flows), products.h (where the time goes), lstm_forward.h, lstm_backward.h, isa.h,
// operators.cpp.
#include <Python.h>
#include <torch/csrc/stable/library.h>

#include <cstdint>

#include "capability.h"
#include "operators.h"
#include "packed.h"

namespace {

using tidegate::Capability;

int64_t capability() { return static_cast<int64_t>(tidegate::cpu_capability()); }

int64_t limit(int64_t level) {
  return static_cast<int64_t>(tidegate::limit_cpu_capability(static_cast<Capability>(level)));
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(tidegate, library) {
  library.def("cpu_capability() -> int");
  library.def("cpu_limit(int level) -> int");
  library.def(
      "run_packed(Tensor packed, Tensor input, Tensor? lengths, Tensor? h_0, Tensor? c_0, bool batch_first, bool reverse, "
      "bool return_sequences) -> (Tensor output, Tensor h_n, Tensor c_n)");
}

// The schemas stand in ops.py and crf.py, those of the cells with implementations for every device; these take their place on a CPU.
STABLE_TORCH_LIBRARY_IMPL(tidegate, CPU, library) {
  library.impl("lstm", &tidegate::lstm);
  library.impl("lstm_backward", &tidegate::lstm_backward);
  library.impl("gru", &tidegate::gru);
  library.impl("gru_backward", &tidegate::gru_backward);
  library.impl("crf", &tidegate::crf);
  library.impl("crf_marginals", &tidegate::crf_marginals);
  library.impl("crf_decode", &tidegate::crf_decode);
  library.impl("pack_lstm", &tidegate::pack_lstm);
  library.impl("pack_gru", &tidegate::pack_gru);
  library.impl("run_packed", &tidegate::run_packed);
}

// Without a tensor among its arguments an operator has no device to be dispatched by; a composite kernel serves.
STABLE_TORCH_LIBRARY_IMPL(tidegate, CompositeExplicitAutograd, library) {
  library.impl("cpu_capability", TORCH_BOX(&capability));
  library.impl("cpu_limit", TORCH_BOX(&limit));
}

PyMODINIT_FUNC PyInit__cpu() {
  static PyModuleDef definition = {
      PyModuleDef_HEAD_INIT,
      "_cpu",
      "Tidegate's compiled CPU kernels; importing it registers their operators.",
      -1,
      nullptr,
      nullptr,
      nullptr,
      nullptr,
      nullptr,
  };
  return PyModule_Create(&definition);
}
