// The GRU's walk back. Included by isa.h.
//
// The gate gradients of a row lie as r, z, n, q: those of W_ih x are r, z, n; those of W_hh h are r, z, q, or
// r, z, n without reset_after, where q is left alone.

template <class T>
struct GruBackWeights {
  T *ih, *hh;  // [3 * units][inputs or units]

  GruBackWeights(const Call<T>& call, Arena& arena) {
    ih = call.gradients.input.data ? arena.take<T>(packed_size<T>(call.inputs, 3 * call.units)) : nullptr;
    hh = arena.take<T>(packed_size<T>(call.units, 3 * call.units));
  }
};

// What a task adds up. It stands first in the task's block, where `collect` finds it.
template <class T>
struct GruSums {
  Sums<T> ih, gates, candidate;
  RowSums<T> bias, norm_ih, norm_hh;

  GruSums(const Call<T>& call, Arena& arena) {
    const Gradients<T>& wanted = call.gradients;
    if (wanted.weight_ih) ih.take(arena, call.inputs, 3 * call.units);
    if (wanted.weight_hh) gates.take(arena, call.units, 2 * call.units);
    if (wanted.weight_hh) candidate.take(arena, call.units, call.units);
    bias.take(arena, 4 * call.units);
    if (!call.normed()) return;
    norm_ih.take(arena, 3 * call.units);
    norm_hh.take(arena, 3 * call.units);
  }
};

template <class T>
void gru_back_prepare(const Call<T>& call) {
  Arena arena(call.shared);
  const GruBackWeights<T> weights(call, arena);
  if (weights.ih) pack(call.weight_ih, call.inputs, call.inputs, 3 * call.units, weights.ih);
  pack(call.weight_hh, call.units, call.units, 3 * call.units, weights.hh);
}

template <class T>
class GruBackward {
 public:
  GruBackward(const Call<T>& call, int32_t task, Arena& shared, Arena& arena)
      : call_(call), rows_(call, task), input_(call), weights_(call, shared), sums_(call, arena),
        chunk_(call, rows_, input_, 4 * call.units, arena) {
    const int64_t rows = rows_.count(), units = call.units, room = chunk_steps(call) * rows;
    hidden_ = arena.take_rows<T>(rows, units);
    product_ = arena.take_rows<T>(rows, units);
    candidates_ = arena.take<const T*>(room);
    reset_ = call.options.reset_after ? nullptr : arena.take_rows<T>(room, units);
    zeros_ = arena.take<T>(padded<T>(units));
    for (T*& row : row_) row = arena.take<T>(padded<T>(3 * units));
    zone_ = {call.options.zoneout_hidden, call.seed, 0, arena.take<T>(Zone<T>::room(units))};
  }

  template <class Activations>
  void walk() {
    clear(zeros_, padded<T>(call_.units));
    take_state_gradient(call_, rows_, call_.grad_h_n, hidden_);
    walk_backwards(
        call_, rows_, [&](int64_t step, int64_t working) { step_back<Activations>(step, working); },
        [&] { products(); });
    give_state_gradient(call_, rows_, hidden_, call_.gradients.h_0);
  }

 private:
  template <class Activations>
  void step_back(int64_t step, int64_t working) {
    const int64_t units = call_.units, first = chunk_.size();
    for (int64_t row = 0; row < working; ++row) {
      const int64_t id = rows_.id(row);
      const T* before = state_before(call_, rows_, row, step, 4 * units, call_.h_0, zeros_);
      const int64_t at = chunk_.add(step, id, before);
      add_output_gradient(call_, step, id, hidden_[row]);
      if (zone_.probability > 0) zone_.draw(step, id, units);
      row_back<Activations>(step, row, at, before);
      if (call_.normed()) norms_back(step, id, at);
      candidates_[at] = chunk_.h_gates[at] + (call_.options.reset_after ? 3 : 2) * units;
    }
    if (reset_) reset_back<Activations>(step, working, first);
    const Operand<T> operands[] = {{chunk_.h_gates + first, weights_.hh, 2 * units, 3 * units},
                                   {candidates_ + first, weights_.hh, units, 3 * units, 2 * units}};
    const int count = reset_ ? 1 : 2;
    if (!call_.mask_h) {
      multiply<T>(operands, count, working, units, hidden_, hidden_);
      return;
    }
    multiply<T>(operands, count, working, units, nullptr, product_);
    for (int64_t row = 0; row < working; ++row) {
      const T* mask = call_.mask_h + rows_.id(row) * units;
      for (int64_t unit = 0; unit < units; ++unit) hidden_[row][unit] += product_[row][unit] * mask[unit];
    }
  }

  // From the gradient of a row's new state to those of its gates' sums; what goes straight on to the old state stays in
  // `hidden_`. Without reset_after r has to wait for `reset_back`.
  template <class Activations>
  void row_back(int64_t step, int64_t row, int64_t at, const T* before) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units;
    const T* kept = call_.kept(step, rows_.id(row));
    T *hidden = hidden_[row], *gates = chunk_.gates[at], *bias = sums_.bias.values;
    const bool after = call_.options.reset_after;
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      const Vector<T> r = load_up_to(kept + unit, left), z = load_up_to(kept + units + unit, left);
      const Vector<T> n = load_up_to(kept + 2 * units + unit, left), old = load_up_to(before + unit, left);
      Vector<T> dh = load(hidden + unit);
      const Vector<T> dh_old = zone_.share(dh, unit);
      const Vector<T> du_n = dh * (splat(T(1)) - z) * derivative<T>(kinds.state, n);
      const Vector<T> du_z = dh * (old - n) * derivative<T>(kinds.gate, z);
      store(hidden + unit, dh * z + dh_old);
      store_up_to(gates + units + unit, du_z, left);
      store_up_to(gates + 2 * units + unit, du_n, left);
      store_up_to(bias + units + unit, load(bias + units + unit) + du_z, left);
      store_up_to(bias + 2 * units + unit, load(bias + 2 * units + unit) + du_n, left);
      if (!after) continue;
      const Vector<T> q = load_up_to(kept + 3 * units + unit, left), dq = du_n * r;
      const Vector<T> du_r = du_n * q * derivative<T>(kinds.gate, r);
      store_up_to(gates + unit, du_r, left);
      store_up_to(gates + 3 * units + unit, dq, left);
      store_up_to(bias + unit, load(bias + unit) + du_r, left);
      store_up_to(bias + 3 * units + unit, load(bias + 3 * units + unit) + dq, left);
    }
  }

  template <class Activations>
  void reset_back(int64_t step, int64_t working, int64_t first) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units;
    const Operand<T> operand{candidates_ + first, weights_.hh, units, 3 * units, 2 * units};
    multiply<T>(&operand, 1, working, units, nullptr, product_);
    for (int64_t row = 0; row < working; ++row) {
      const int64_t id = rows_.id(row), at = first + row;
      const T *kept = call_.kept(step, id), *mask = call_.mask_h ? call_.mask_h + id * units : nullptr;
      const T* before = state_before(call_, rows_, row, step, 4 * units, call_.h_0, zeros_);
      T *gates = chunk_.gates[at], *bias = sums_.bias.values;
      for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
        const int64_t left = units - unit;
        const Vector<T> r = load_up_to(kept + unit, left), old = load_up_to(before + unit, left);
        Vector<T> d_reset = load(product_[row] + unit);
        if (mask) d_reset *= load_up_to(mask + unit, left);
        const Vector<T> du_r = d_reset * old * derivative<T>(kinds.gate, r);
        store(hidden_[row] + unit, load(hidden_[row] + unit) + d_reset * r);
        store_up_to(gates + unit, du_r, left);
        store_up_to(bias + unit, load(bias + unit) + du_r, left);
        store(reset_[at] + unit, r * old);
      }
      if (mask) mask_row(reset_[at], mask, units, call_.rounding, reset_[at]);
      round_row(reset_[at], units, call_.rounding);
    }
  }

  void norms_back(int64_t step, int64_t id, int64_t at) {
    const int64_t units = call_.units, columns = 3 * units;
    const T* raw = call_.kept(step, id) + 5 * units;
    const T* gates = chunk_.gates[at];
    norm_backward(raw, call_.norm_ih, gates, columns, chunk_.x_gates[at], sums_.norm_ih.values);
    copy(gates, 2 * units, row_[0]);
    copy(gates + 3 * units, units, row_[0] + 2 * units);
    norm_backward(raw + columns, call_.norm_hh, row_[0], columns, row_[1], sums_.norm_hh.values);
    copy(row_[1], 2 * units, chunk_.h_gates[at]);
    copy(row_[1] + 2 * units, units, chunk_.h_gates[at] + 3 * units);
  }

  void products() {
    const int64_t units = call_.units, count = chunk_.size();
    if (count == 0) return;
    if (sums_.gates.values) {
      const T* const* read = reset_ ? reset_ : chunk_.h_read;
      accumulate(chunk_.h_read, units, chunk_.h_gates[0], chunk_.pitch, 2 * units, count, sums_.gates.values);
      accumulate(read, units, candidates_[0], chunk_.pitch, units, count, sums_.candidate.values);
    }
    chunk_.input_products(sums_.ih, weights_.ih, 3 * units);
    chunk_.restart();
  }

  const Call<T>& call_;
  const Rows<T> rows_;
  const InputRows<T> input_;
  const GruBackWeights<T> weights_;
  GruSums<T> sums_;
  Chunk<T> chunk_;
  T **hidden_, **product_;  // gradients of the states, a row each; what a product gives before it is masked
  const T** candidates_;    // where the gradients of q (or n) of the chunk's rows lie
  T** reset_;               // what the candidate's product has read, without reset_after
  T *zeros_, *row_[2];
  Zone<T> zone_;
};

// Add up what the tasks have found, for rows [begin, end) of the weights.
template <class T>
void gru_collect(const Call<T>& call, int64_t begin, int64_t end) {
  const Gradients<T>& wanted = call.gradients;
  const int64_t units = call.units, gates_end = end < 2 * units ? end : 2 * units;
  const int64_t first_n = begin > 2 * units ? begin - 2 * units : 0, last_n = end - 2 * units;
  for (int32_t task = 0; task < call.tasks; ++task) {
    Arena arena(call.private_blocks + task * call.private_bytes, /*written=*/true);
    const GruSums<T> sums(call, arena);
    const bool first = task == 0;
    if (wanted.weight_ih) sums.ih.add_to(wanted.weight_ih, begin, end, first);
    if (wanted.weight_hh) {
      sums.gates.add_to(wanted.weight_hh, begin, gates_end, first);
      sums.candidate.add_to(wanted.weight_hh + 2 * units * units, first_n, last_n, first);
    }
    if (wanted.bias_ih) sums.bias.add_to(wanted.bias_ih, begin, end, first);
    if (wanted.norm_ih) sums.norm_ih.add_to(wanted.norm_ih, begin, end, first);
    if (wanted.norm_hh) sums.norm_hh.add_to(wanted.norm_hh, begin, end, first);
    const int64_t moved = call.options.reset_after ? units : 0;  // q stands behind n
    for (int64_t at = begin; wanted.bias_hh && at < end; ++at) {
      const T found = sums.bias.values[at < 2 * units ? at : at + moved];
      wanted.bias_hh[at] = (first ? T(0) : wanted.bias_hh[at]) + found;
    }
  }
}

template <class T>
size_t gru_back_shared_bytes(const Call<T>& call) {
  Arena arena(nullptr);
  const GruBackWeights<T> weights(call, arena);
  return arena.used();
}
