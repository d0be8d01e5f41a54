// What the backward walks of LSTM and GRU share: scratch for a bounded number of steps, and the sums of the weight
// gradients, kept by every task for itself and added up in a fixed order. Included by isa.h.

constexpr int64_t kChunkSteps = 16;
constexpr int64_t kChunkBytes = 512 * 1024;  // of gate gradients, so that they stay in a core's cache

// How many steps' gate gradients are kept before the weight gradients are taken from them: the same for all tasks, of
// which the first has the most rows.
template <class T>
int64_t chunk_steps(const Call<T>& call) {
  const int64_t rows = call.first[1] > 0 ? call.first[1] : 1;
  const int64_t fitting = kChunkBytes / (static_cast<int64_t>(sizeof(T)) * 4 * call.units * rows);
  return fitting < 1 ? 1 : fitting > kChunkSteps ? kChunkSteps : fitting;
}

// The transposed gradient of some rows of a weight, [depth][columns], as one task has summed it up.
template <class T>
struct Sums {
  T* values = nullptr;
  int64_t depth = 0, columns = 0;

  void take(Arena& arena, int64_t d, int64_t c) {
    depth = d, columns = c;
    values = arena.take<T>(d * padded<T>(c));
    if (arena.fresh()) clear(values, d * padded<T>(c));
  }
  // Give (`first`) or add this task's share to rows [begin, end) of `weight`, whose row 0 is column 0 here.
  void add_to(T* weight, int64_t begin, int64_t end, bool first) const {
    const int64_t pitch = padded<T>(columns);
    int64_t column = begin;
    for (; column + kQuad <= end; column += kQuad) {
      int64_t k = 0;
      for (; k + kQuad <= depth; k += kQuad) {
        typename QuadOf<T>::type turned[kQuad], old;
        transpose_quads(values + k * pitch + column, pitch, turned);
        for (int64_t row = 0; row < kQuad; ++row) {
          T* to = weight + (column + row) * depth + k;
          if (!first) {
            __builtin_memcpy(&old, to, sizeof old);
            turned[row] += old;
          }
          __builtin_memcpy(to, &turned[row], sizeof turned[row]);
        }
      }
      for (; k < depth; ++k) add_column(weight, column, column + kQuad, k, first);
    }
    for (int64_t k = 0; k < depth; ++k) add_column(weight, column, end, k, first);
  }

 private:
  void add_column(T* weight, int64_t begin, int64_t end, int64_t k, bool first) const {
    for (int64_t column = begin; column < end; ++column) {
      T& to = weight[column * depth + k];
      to = (first ? T(0) : to) + values[k * padded<T>(columns) + column];
    }
  }
};

// A gradient with a value for every column of a row: summed over rows and steps.
template <class T>
struct RowSums {
  T* values = nullptr;
  int64_t count = 0;

  void take(Arena& arena, int64_t c) {
    count = c;
    values = arena.take<T>(padded<T>(c) + kLanes<T>);
    if (arena.fresh()) clear(values, padded<T>(c) + kLanes<T>);
  }
  TIDEGATE_INLINE void add(int64_t at, Vector<T> gradient, int64_t left) {
    store_up_to(values + at, load(values + at) + gradient, left);
  }
  void add_to(T* gradient, int64_t begin, int64_t end, bool first) const {
    for (int64_t at = begin; at < end && at < count; ++at) gradient[at] = (first ? T(0) : gradient[at]) + values[at];
  }
};

// The chunk of steps at hand: for each of its rows, in the order of the walk, where the gate gradients lie and what
// the products have read.
template <class T>
class Chunk {
 public:
  Chunk(const Call<T>& call, const Rows<T>& rows, const InputRows<T>& input, int64_t width, Arena& arena)
      : call_(call), input_(input) {
    const int64_t room = chunk_steps(call) * rows.count();
    gates = arena.take_rows<T>(room, width);
    x_gates = call.normed() ? arena.take_rows<T>(room, width) : gates;
    h_gates = call.normed() ? arena.take_rows<T>(room, width) : gates;
    pitch = padded<T>(width) + kLanes<T>;
    h_read = arena.take<const T*>(room);
    x_read_ = arena.take<const T*>(room);
    x_copies_ = input.copies() ? arena.take_rows<T>(room, call.inputs) : nullptr;
    h_copies_ = call.mask_h ? arena.take_rows<T>(room, call.units) : nullptr;
    steps_ = arena.take<int64_t>(room);
    ids_ = arena.take<int64_t>(room);
    x_targets_ = arena.take<T*>(room);
    x_gradients_ = direct() || !call.gradients.input.data ? nullptr : arena.take_rows<T>(room, call.inputs);
  }

  int64_t size() const { return size_; }
  void restart() { size_ = 0; }
  // Add a row; `h_before` is the hidden state that its step started from.
  int64_t add(int64_t step, int64_t id, const T* h_before) {
    const int64_t at = size_++;
    steps_[at] = step, ids_[at] = id;
    h_read[at] = h_before;
    if (call_.mask_h) {
      mask_row(h_before, call_.mask_h + id * call_.units, call_.units, call_.rounding, h_copies_[at]);
      h_read[at] = h_copies_[at];
    }
    return at;
  }

  // Take from the gradients of W x, [row][columns], what they mean for W and x.
  void input_products(Sums<T>& weight, const T* packed, int64_t columns) {
    if (weight.values) {
      for (int64_t at = 0; at < size_; ++at) {
        x_read_[at] = input_.row(steps_[at], ids_[at], x_copies_ ? x_copies_[at] : nullptr);
      }
      accumulate(x_read_, weight.depth, x_gates[0], pitch, columns, size_, weight.values);
    }
    const Sequence<T> wanted = call_.gradients.input;
    if (!wanted.data) return;
    for (int64_t at = 0; at < size_; ++at) {
      x_targets_[at] = direct() ? wanted.at(steps_[at], ids_[at]) : x_gradients_[at];
    }
    const Operand<T> operand{x_gates, packed, columns, columns};
    multiply<T>(&operand, 1, size_, call_.inputs, nullptr, x_targets_);
    if (direct()) return;
    for (int64_t at = 0; at < size_; ++at) {
      mask_row(x_gradients_[at], call_.mask_x + ids_[at] * call_.inputs, call_.inputs, Rounding::kNone,
               wanted.at(steps_[at], ids_[at]));
    }
  }

  T **gates, **x_gates, **h_gates;  // gradients of the gates' sums, of W x and of W h: one, but for norms
  int64_t pitch;                    // of their rows
  const T** h_read;

 private:
  bool direct() const { return !call_.mask_x; }

  const Call<T>& call_;
  const InputRows<T>& input_;
  const T** x_read_;
  T **x_copies_, **h_copies_, **x_targets_, **x_gradients_;
  int64_t *steps_, *ids_;
  int64_t size_ = 0;
};

// Walk backwards: step(t, working) as in walk_forwards, and products() after every chunk of steps.
template <class T, class Step, class Products>
TIDEGATE_INLINE void walk_backwards(const Call<T>& call, const Rows<T>& rows, const Step& step, const Products& products) {
  const int64_t limit = chunk_steps(call);
  int64_t in_chunk = 0;
  for (int64_t index = call.steps - 1; index >= 0; --index) {
    const int64_t t = step_at(call, index), working = rows.at_work(t);
    for (int64_t row = working; row < rows.count(); ++row) {
      clear_row(call.gradients.input, t, rows.id(row), call.inputs);
    }
    if (working > 0) step(t, working);
    if (++in_chunk == limit || index == 0) {
      products();
      in_chunk = 0;
    }
  }
}

// The gradients of the states of every row, on the way from the last step to the first.
template <class T>
void take_state_gradient(const Call<T>& call, const Rows<T>& rows, const T* given, T** to) {
  for (int64_t row = 0; row < rows.count(); ++row) {
    copy_state(given, rows.id(row), call.units, to[row]);
  }
}

template <class T>
void give_state_gradient(const Call<T>& call, const Rows<T>& rows, T** from, T* wanted) {
  for (int64_t row = 0; wanted && row < rows.count(); ++row) {
    copy(from[row], call.units, wanted + rows.id(row) * call.units);
  }
}

// Add the gradient of the output of one row at one step, whatever its strides.
template <class T>
void add_output_gradient(const Call<T>& call, int64_t step, int64_t id, T* to) {
  const Sequence<const T> given = call.grad_output;
  if (!given.data) return;
  const T* from = given.at(step, id);
  if (given.feature == 1) {
    for (int64_t unit = 0; unit < call.units; ++unit) to[unit] += from[unit];
  } else if (given.feature == 0) {  // the gradient of a sum or a mean
    const T same = *from;
    for (int64_t unit = 0; unit < call.units; ++unit) to[unit] += same;
  } else {
    for (int64_t unit = 0; unit < call.units; ++unit) to[unit] += from[unit * given.feature];
  }
}

// The state (at `offset` of a kept row) before the step number `index` of a row; `initial` or zeros at its first.
template <class T>
const T* state_before(const Call<T>& call, const Rows<T>& rows, int64_t row, int64_t step, int64_t offset,
                      const T* initial, const T* zeros) {
  const int64_t id = rows.id(row), earlier = call.options.reverse ? step + 1 : step - 1;
  const bool first = call.options.reverse ? earlier >= rows.length(row) : earlier < 0;
  if (!first) return call.kept(earlier, id) + offset;
  return initial ? initial + id * call.units : zeros;
}
