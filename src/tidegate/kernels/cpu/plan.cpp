#include "plan.h"

#include <torch/headeronly/util/Exception.h>

#include <algorithm>
#include <numeric>

namespace tidegate {
namespace {

constexpr double kOperationsPerTask = 1e6;  // some ten microseconds: several times what it costs to wake a thread

}  // namespace

int64_t worthwhile_tasks(int64_t batch, double operations, int64_t threads) {
  const auto by_work = static_cast<int64_t>(operations / kOperationsPerTask);
  return std::max<int64_t>(1, std::min({threads, batch, by_work}));
}

Deal::Deal(int64_t batch, int64_t steps, const int64_t* lengths, int64_t tasks) {
  std::vector<int32_t> order(static_cast<size_t>(batch));
  std::iota(order.begin(), order.end(), 0);
  if (lengths) {
    for (int64_t row = 0; row < batch; ++row) {
      STD_TORCH_CHECK(lengths[row] >= 0 && lengths[row] <= steps, "expected lengths from 0 to ", steps, "; got ",
                      lengths[row], " in row ", row);
    }
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return lengths[a] > lengths[b]; });
  }
  rows.reserve(order.size());
  first.push_back(0);
  for (int64_t task = 0; task < tasks; ++task) {
    if (lengths) {
      for (int64_t at = task; at < batch; at += tasks) rows.push_back(order[static_cast<size_t>(at)]);
    } else {
      const int64_t begin = static_cast<int64_t>(rows.size()), left = batch - begin;
      const int64_t size = (left + tasks - task - 1) / (tasks - task);
      rows.insert(rows.end(), order.begin() + begin, order.begin() + begin + size);
    }
    first.push_back(static_cast<int32_t>(rows.size()));
  }
}

}  // namespace tidegate
