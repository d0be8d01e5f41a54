#include "pool.h"

#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

namespace tidegate {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kMostIdle = 0;  // so that the sanitizer sees every use of a freed block
#else
constexpr size_t kMostIdle = size_t{256} << 20;
#endif
constexpr size_t kMostIdleBlocks = 16;
constexpr size_t kAlignment = 64;

// Stands before the memory that is handed out.
struct alignas(kAlignment) Header {
  size_t bytes;  // of the memory behind it
};

// Sizes are rounded up by at most an eighth, so that a batch a little smaller finds the block of the last.
size_t rounded_up(size_t bytes) {
  size_t step = kAlignment;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

std::mutex idle_mutex;
std::deque<Header*>& idle() {
  static auto* blocks = new std::deque<Header*>;  // never destroyed: tensors may outlive this library's statics
  return *blocks;
}
size_t idle_bytes = 0;

Header* idle_block(size_t bytes) {
  const std::lock_guard<std::mutex> lock(idle_mutex);
  auto& blocks = idle();
  for (auto at = blocks.rbegin(); at != blocks.rend(); ++at) {
    if ((*at)->bytes != bytes) continue;
    Header* found = *at;
    blocks.erase(std::next(at).base());
    idle_bytes -= bytes;
    return found;
  }
  return nullptr;
}

}  // namespace

char* take_block(size_t bytes) {
  bytes = rounded_up(bytes + 1);
  Header* header = idle_block(bytes);
  if (!header) {
    void* fresh = std::aligned_alloc(kAlignment, sizeof(Header) + bytes);
    if (!fresh) throw std::bad_alloc();
    header = new (fresh) Header{bytes};
  }
  return reinterpret_cast<char*>(header + 1);
}

void give_block(void* block) {
  if (!block) return;
  const std::lock_guard<std::mutex> lock(idle_mutex);
  auto& blocks = idle();
  Header* header = static_cast<Header*>(block) - 1;
  blocks.push_back(header);
  idle_bytes += header->bytes;
  while (idle_bytes > kMostIdle || blocks.size() > kMostIdleBlocks) {
    Header* oldest = blocks.front();
    blocks.pop_front();
    idle_bytes -= oldest->bytes;
    std::free(oldest);
  }
}

}  // namespace tidegate
