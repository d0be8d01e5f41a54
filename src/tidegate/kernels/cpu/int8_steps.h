// What a walk on int8 weights holds beside them: the quantised rows, and the products with the input. Included by isa.h.

// The input is there from the start: it is multiplied for some steps at once, so that its weights come by once for a
// tile of rows, and not for each step of a single row.
class Int8Steps {
 public:
  Int8Steps(const Call<float>& call, const Rows<float>& rows, const InputRows<float>& input, int64_t columns, Arena& arena)
      : call_(call),
        rows_(rows),
        input_(input),
        steps_(steps_at_once(rows.count(), call.steps)),
        x_(rows.count() * steps_, call.inputs, arena),
        h_(rows.count(), call.units, arena),
        sums_(arena.take_rows<float>(rows.count() * steps_, columns)),
        working_(arena.take<float*>(rows.count() * steps_)),
        copy_(arena.take<float>(padded<float>(call.inputs))) {}

  // The rows at a step, each with room for all sums and what `multiply_x(quantised rows, how many, out)` has put there.
  template <class MultiplyX>
  float* const* inputs(int64_t step, const MultiplyX& multiply_x) {
    const int64_t index = step_at(call_, step);  // its own inverse
    if (index < first_ || index >= first_ + steps_) {
      first_ = index;
      fill(multiply_x);
    }
    return sums_ + (index - first_) * rows_.count();
  }

  const Int8Rows& quantised(const float* const* rows, int64_t working) const {
    for (int64_t row = 0; row < working; ++row) h_.read(row, rows[row], call_.units);
    return h_;
  }

 private:
  static int64_t steps_at_once(int64_t rows, int64_t steps) {
    constexpr int64_t kMostRows = 24;
    const int64_t wanted = rows > 0 && rows < kMostRows ? kMostRows / rows : 1;
    return wanted < steps ? wanted : steps > 0 ? steps : 1;
  }

  template <class MultiplyX>
  void fill(const MultiplyX& multiply_x) {
    int64_t count = 0;
    for (int64_t at = 0; at < steps_ && first_ + at < call_.steps; ++at) {
      const int64_t step = step_at(call_, first_ + at), working = rows_.at_work(step);
      for (int64_t row = 0; row < working; ++row, ++count) {
        x_.read(count, input_.row(step, rows_.id(row), copy_), call_.inputs);
        working_[count] = sums_[at * rows_.count() + row];
      }
    }
    multiply_x(x_, count, working_);
  }

  const Call<float>& call_;
  const Rows<float>& rows_;
  const InputRows<float>& input_;
  const int64_t steps_;
  int64_t first_ = -steps_;  // the first of the steps at hand; none yet
  Int8Rows x_, h_;
  float **sums_, **working_;
  float* copy_;
};
