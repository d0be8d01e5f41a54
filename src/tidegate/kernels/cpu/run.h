// Runs a call: deals the rows, gets scratch memory, packs, walks on torch's threads, adds up.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "capability.h"
#include "plan.h"
#include "pool.h"

namespace tidegate {

template <class T>
const Kernels<T>& kernels() {
  if constexpr (sizeof(T) == 8) {
    return *chosen_kernels().float64;
  } else {
    return *chosen_kernels().float32;
  }
}

constexpr size_t kMostOwnWeights = size_t{256} << 10;  // bytes of packed weights up to which every task has its own
constexpr size_t kMostScratch = size_t{1} << 30;  // bytes: with many threads, fewer of them rather than more

inline size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// `passes` is 1 forwards and 2 backwards. Where `call.shared` is set, the weights are packed already.
template <class T>
void run(const Walks<T>& walks, Call<T>& call, double passes) {
  const double operations = passes * 2.0 * static_cast<double>(call.batch * call.steps) *
                            static_cast<double>(call.gates * call.units * (call.inputs + call.units));
  int64_t tasks = worthwhile_tasks(call.batch, operations, torch::stable::get_num_threads());
  const auto deal_to = [&](int64_t count) {
    Deal deal(call.batch, call.steps, call.lengths, count);
    call.rows = deal.rows.data();
    call.first = deal.first.data();
    call.tasks = deal.tasks();
    call.private_bytes = whole_lines(walks.private_bytes(call));
    return deal;  // moved, its memory stays where it is
  };
  Deal deal = deal_to(tasks);
  while (tasks > 1 && static_cast<size_t>(tasks) * call.private_bytes > kMostScratch) deal = deal_to(tasks /= 2);
  const size_t weights = call.shared ? 0 : whole_lines(walks.shared_bytes(call));
  const bool own = weights > 0 && weights <= kMostOwnWeights;
  if (own) call.private_bytes += weights;
  const size_t shared = own ? 0 : weights;
  const Block block(take_block(shared + static_cast<size_t>(call.tasks) * call.private_bytes));
  call.private_blocks = block.get() + shared;
  if (shared > 0) {
    call.shared = block.get();
    walks.prepare(call);
  }
  if (call.tasks == 1) {
    walks.walk(call, 0);
    if (walks.collect) walks.collect(call, 0, call.gates * call.units);
    return;
  }
  torch::stable::parallel_for(0, call.tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) walks.walk(call, static_cast<int32_t>(task));
  });
  if (!walks.collect) return;
  const int64_t rows = call.gates * call.units;
  torch::stable::parallel_for(0, rows, (rows + call.tasks - 1) / call.tasks,
                              [&](int64_t begin, int64_t end) { walks.collect(call, begin, end); });
}

}  // namespace tidegate
