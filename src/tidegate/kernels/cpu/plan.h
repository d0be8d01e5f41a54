// How a call is dealt to threads.
#pragma once

#include <cstdint>
#include <vector>

#include "call.h"

namespace tidegate {

// Rows dealt to tasks. With lengths every task gets its share of long and of short rows, longest first.
struct Deal {
  std::vector<int32_t> rows, first;

  // Throws if a length lies outside [0, steps].
  Deal(int64_t batch, int64_t steps, const int64_t* lengths, int64_t tasks);
  int32_t tasks() const { return static_cast<int32_t>(first.size()) - 1; }
};

// How many tasks are worth it: as many as there are threads, unless the rows or the work are too few.
int64_t worthwhile_tasks(int64_t batch, double operations, int64_t threads);

}  // namespace tidegate
