// The rows that one task walks, and the scratch it works in. Included by isa.h.

// Hands out aligned pieces of a block. Without a block it only counts; one that is `written` already is left as it is.
class Arena {
 public:
  explicit Arena(char* block, bool written = false) : block_(block), fresh_(block && !written) {}

  template <class U>
  U* take(int64_t count) {
    char* piece = block_ ? block_ + used_ : nullptr;
    used_ += (static_cast<size_t>(count) * sizeof(U) + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<U*>(piece);
  }
  // `rows` rows of at least `columns` and a pointer to each; a vector may be read past the end of every row.
  template <class T>
  T** take_rows(int64_t rows, int64_t columns) {
    const int64_t pitch = padded<T>(columns) + kLanes<T>;
    T* values = take<T>(rows * pitch);
    T** pointers = take<T*>(rows);
    if (block_) {
      for (int64_t row = 0; row < rows; ++row) pointers[row] = values + row * pitch;
    }
    return pointers;
  }
  bool fresh() const { return fresh_; }
  size_t used() const { return used_; }

 private:
  static constexpr size_t kAlignment = 64;
  char* block_;
  bool fresh_;
  size_t used_ = 0;
};

// The rows of one task, longest first: those at work at a step are always the first few.
template <class T>
class Rows {
 public:
  Rows(const Call<T>& call, int32_t task)
      : ids_(call.rows + call.first[task]), count_(call.first[task + 1] - call.first[task]), call_(call) {}

  int64_t count() const { return count_; }
  int64_t id(int64_t row) const { return ids_[row]; }
  int64_t length(int64_t row) const { return call_.lengths ? call_.lengths[ids_[row]] : call_.steps; }
  // How many rows have a valid step `step`.
  int64_t at_work(int64_t step) const {
    if (!call_.lengths) return count_;
    int64_t working = 0;
    while (working < count_ && call_.lengths[ids_[working]] > step) ++working;
    return working;
  }

 private:
  const int32_t* ids_;
  int64_t count_;
  const Call<T>& call_;
};

// The step that is computed as number `index`.
template <class T>
int64_t step_at(const Call<T>& call, int64_t index) {
  return call.options.reverse ? call.steps - 1 - index : index;
}

template <class T>
void copy(const T* from, int64_t count, T* to) {
  __builtin_memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

template <class T>
void clear(T* values, int64_t count) {
  __builtin_memset(values, 0, static_cast<size_t>(count) * sizeof(T));
}

// The state of a row, zeros where none is given, in a row with whole vectors.
template <class T>
void copy_state(const T* states, int64_t row, int64_t units, T* to) {
  clear(to, padded<T>(units));
  if (states) copy(states + row * units, units, to);
}

inline float rounded(float value, Rounding rounding) {
  uint32_t bits;
  if (rounding == Rounding::kBfloat16) {
    if (!(value == value)) return value;
    __builtin_memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;  // to nearest, ties to even
    __builtin_memcpy(&value, &bits, sizeof bits);
    return value;
  }
  // float16: from 65520 on infinite; below 2^-14 the steps are 2^-24 wide, above it 11 bits are kept
  const float size = value < 0 ? -value : value;
  if (!(size < 65520.0f)) return size >= 65520.0f ? value * __builtin_inff() : value;
  if (size < 6.103515625e-5f) {
    const float shift = value < 0 ? -0.75f : 0.75f;  // 1.5 * 2^-1: the sum rounds at 2^-24
    return (value + shift) - shift;
  }
  __builtin_memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0xFFFu + ((bits >> 13) & 1u)) & 0xFFFFE000u;
  __builtin_memcpy(&value, &bits, sizeof bits);
  return value;
}

inline double rounded(double value, Rounding) { return value; }  // float64 is never mixed with half precision

template <class T>
void round_row(T* values, int64_t count, Rounding rounding) {
  if (rounding == Rounding::kNone) return;
  for (int64_t at = 0; at < count; ++at) values[at] = rounded(values[at], rounding);
}

// to = round(from * mask)
template <class T>
void mask_row(const T* from, const T* mask, int64_t count, Rounding rounding, T* to) {
  for (int64_t at = 0; at < count; ++at) to[at] = from[at] * mask[at];
  round_row(to, count, rounding);
}

// Where products read the input of a row: in place where it lies contiguous and unmasked, else from a copy.
template <class T>
class InputRows {
 public:
  explicit InputRows(const Call<T>& call)
      : call_(call), copies_(call.mask_x || (call.input.feature != 1 && call.inputs > 1)) {}

  bool copies() const { return copies_; }
  const T* row(int64_t step, int64_t id, T* copy) const {
    const T* from = call_.input.at(step, id);
    if (!copies_) return from;
    for (int64_t at = 0; at < call_.inputs; ++at) copy[at] = from[at * call_.input.feature];
    if (call_.mask_x) mask_row(copy, call_.mask_x + id * call_.inputs, call_.inputs, call_.rounding, copy);
    return copy;
  }

 private:
  const Call<T>& call_;
  const bool copies_;
};

// Zero what lies past the lengths in rows of the output, the reserve or the gradient of the input.
template <class T>
void clear_row(Sequence<T> sequence, int64_t step, int64_t id, int64_t count) {
  if (sequence.data) clear(sequence.at(step, id), count);
}

// Walk forwards: step(t, working) where the first `working` rows have a valid step t; what lies past the lengths is
// cleared.
template <class T, class Step>
TIDEGATE_INLINE void walk_forwards(const Call<T>& call, const Rows<T>& rows, const Step& step) {
  for (int64_t index = 0; index < call.steps; ++index) {
    const int64_t t = step_at(call, index), working = rows.at_work(t);
    if (working > 0) step(t, working);
    for (int64_t row = working; row < rows.count(); ++row) {
      clear_row(call.output, t, rows.id(row), call.units);
      if (call.reserve) clear(call.kept(t, rows.id(row)), call.reserve_width);
    }
  }
}
