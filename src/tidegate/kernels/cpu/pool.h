// Blocks of memory that are used again: scratch, and what forward keeps for backward.
//
// They come and go with every training step. The system's allocator gives large blocks back to the kernel at once and
// gets them again page by page, which for a large layer costs a quarter of the step.
#pragma once

#include <cstddef>
#include <memory>

namespace tidegate {

// Uninitialised memory at the start of a cache line, idle or new. Throws std::bad_alloc. Safe from any thread.
char* take_block(size_t bytes);

// Give back what `take_block` gave. At most kMostIdle bytes wait for the next taker; the longest idle are freed first.
void give_block(void* block);

struct GiveBlock {
  void operator()(char* block) const { give_block(block); }
};
using Block = std::unique_ptr<char, GiveBlock>;

}  // namespace tidegate
