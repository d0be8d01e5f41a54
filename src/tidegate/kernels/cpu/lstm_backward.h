// The LSTM's walk back. Included by isa.h.

template <class T>
struct LstmBackWeights {
  T *ih, *hh;  // [4 * units][inputs or units]

  LstmBackWeights(const Call<T>& call, Arena& arena) {
    ih = call.gradients.input.data ? arena.take<T>(packed_size<T>(call.inputs, 4 * call.units)) : nullptr;
    hh = arena.take<T>(packed_size<T>(call.units, 4 * call.units));
  }
};

// What a task adds up. It stands first in the task's block, where `collect` finds it.
template <class T>
struct LstmSums {
  Sums<T> ih, hh;
  RowSums<T> bias, peephole, norm_ih, norm_hh, norm_c, bias_norm_c;

  LstmSums(const Call<T>& call, Arena& arena) {
    const Gradients<T>& wanted = call.gradients;
    const int64_t columns = 4 * call.units;
    if (wanted.weight_ih) ih.take(arena, call.inputs, columns);
    if (wanted.weight_hh) hh.take(arena, call.units, columns);
    bias.take(arena, columns);
    if (call.peephole) peephole.take(arena, 3 * call.units);
    if (!call.normed()) return;
    norm_ih.take(arena, columns);
    norm_hh.take(arena, columns);
    norm_c.take(arena, call.units);
    bias_norm_c.take(arena, call.units);
  }
};

template <class T>
void lstm_back_prepare(const Call<T>& call) {
  Arena arena(call.shared);
  const LstmBackWeights<T> weights(call, arena);
  if (weights.ih) pack(call.weight_ih, call.inputs, call.inputs, 4 * call.units, weights.ih);
  pack(call.weight_hh, call.units, call.units, 4 * call.units, weights.hh);
}

template <class T>
class LstmBackward {
 public:
  LstmBackward(const Call<T>& call, int32_t task, Arena& shared, Arena& arena)
      : call_(call), rows_(call, task), input_(call), weights_(call, shared), sums_(call, arena),
        chunk_(call, rows_, input_, 4 * call.units, arena) {
    const int64_t rows = rows_.count(), units = call.units;
    hidden_ = arena.take_rows<T>(rows, units);
    cell_ = arena.take_rows<T>(rows, units);
    product_ = call.mask_h ? arena.take_rows<T>(rows, units) : nullptr;
    zeros_ = arena.take<T>(padded<T>(units));
    for (T*& row : row_) row = arena.take<T>(padded<T>(units));
    zone_h_ = {call.options.zoneout_hidden, call.seed, 0, arena.take<T>(Zone<T>::room(units))};
    zone_c_ = {call.options.zoneout_cell, call.seed, 1, arena.take<T>(Zone<T>::room(units))};
  }

  template <class Activations>
  void walk() {
    clear(zeros_, padded<T>(call_.units));
    take_state_gradient(call_, rows_, call_.grad_h_n, hidden_);
    take_state_gradient(call_, rows_, call_.grad_c_n, cell_);
    walk_backwards(
        call_, rows_, [&](int64_t step, int64_t working) { step_back<Activations>(step, working); },
        [&] { products(); });
    give_state_gradient(call_, rows_, hidden_, call_.gradients.h_0);
    give_state_gradient(call_, rows_, cell_, call_.gradients.c_0);
  }

 private:
  template <class Activations>
  void step_back(int64_t step, int64_t working) {
    const bool plain = !call_.peephole && !call_.zoned() && !call_.norm_c;
    const int64_t units = call_.units, first = chunk_.size();
    for (int64_t row = 0; row < working; ++row) {
      const int64_t id = rows_.id(row);
      const int64_t at =
          chunk_.add(step, id, state_before(call_, rows_, row, step, 5 * units, call_.h_0, zeros_));
      add_output_gradient(call_, step, id, hidden_[row]);
      if (plain) {
        row_back<Activations, true>(step, row, at);
      } else {
        row_back<Activations, false>(step, row, at);
      }
      if (call_.normed()) norms_back(step, id, at);
    }
    // The gradient of the hidden state before: from the products, on top of what zoneout has passed on.
    const Operand<T> operand{chunk_.h_gates + first, weights_.hh, 4 * units, 4 * units};
    const T* const* init = call_.options.zoneout_hidden > 0 ? hidden_ : nullptr;
    if (!product_) {
      multiply<T>(&operand, 1, working, units, init, hidden_);
      return;
    }
    multiply<T>(&operand, 1, working, units, nullptr, product_);
    for (int64_t row = 0; row < working; ++row) {
      const T* mask = call_.mask_h + rows_.id(row) * units;
      for (int64_t unit = 0; unit < units; ++unit) {
        hidden_[row][unit] = (init ? hidden_[row][unit] : T(0)) + product_[row][unit] * mask[unit];
      }
    }
  }

  // From the gradients of a row's new states to those of its gates' sums and of its old cell.
  template <class Activations, bool kPlain>
  void row_back(int64_t step, int64_t row, int64_t at) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units, id = rows_.id(row);
    const T *kept = call_.kept(step, id), *peephole = kPlain ? nullptr : call_.peephole;
    const T* before = state_before(call_, rows_, row, step, 4 * units, call_.c_0, zeros_);
    T *hidden = hidden_[row], *cell = cell_[row], *gates = chunk_.gates[at], *bias = sums_.bias.values;
    const bool normed = !kPlain && call_.norm_c;
    if constexpr (!kPlain) {
      zone_h_.draw(step, id, units);
      zone_c_.draw(step, id, units);
    }
    if (normed) norm_c_back(kinds.state, kept, before, hidden);
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      const Vector<T> i = load_up_to(kept + unit, left), f = load_up_to(kept + units + unit, left);
      const Vector<T> g = load_up_to(kept + 2 * units + unit, left), o = load_up_to(kept + 3 * units + unit, left);
      const Vector<T> old = load_up_to(before + unit, left), now = f * old + i * g;
      Vector<T> dh = load(hidden + unit), dc = load(cell + unit), d_o, dh_old{}, dc_old{};
      if constexpr (!kPlain) {
        dh_old = zone_h_.share(dh, unit);
        dc_old = zone_c_.share(dc, unit);
      }
      if (normed) {
        d_o = load(row_[0] + unit);
        dc += load(row_[1] + unit);
      } else {
        const Vector<T> y = activate<T>(kinds.state, now);
        d_o = dh * y;
        dc += dh * o * derivative<T>(kinds.state, y);
      }
      const Vector<T> du_o = d_o * derivative<T>(kinds.gate, o);
      if (peephole) dc += load_up_to(peephole + 2 * units + unit, left) * du_o;
      const Vector<T> du_i = dc * g * derivative<T>(kinds.gate, i), du_f = dc * old * derivative<T>(kinds.gate, f);
      const Vector<T> du_g = dc * i * derivative<T>(kinds.state, g);
      Vector<T> d_before = dc * f + dc_old;
      if (peephole) {
        d_before += load_up_to(peephole + unit, left) * du_i + load_up_to(peephole + units + unit, left) * du_f;
        sums_.peephole.add(unit, du_i * old, left);
        sums_.peephole.add(units + unit, du_f * old, left);
        sums_.peephole.add(2 * units + unit, du_o * now, left);
      }
      store(cell + unit, d_before);
      if constexpr (!kPlain) store(hidden + unit, dh_old);
      const Vector<T> found[] = {du_i, du_f, du_g, du_o};
      for (int64_t gate = 0; gate < 4; ++gate) {
        const int64_t column = gate * units + unit;
        store_up_to(gates + column, found[gate], left);
        store_up_to(bias + column, load(bias + column) + found[gate], left);
      }
    }
  }

  // Through h = o * act(norm(c)): the gradient of o into row_[0], that of the new cell into row_[1].
  void norm_c_back(Activation kind, const T* kept, const T* before, const T* hidden) {
    const int64_t units = call_.units;
    T *d_o = row_[0], *d_cell = row_[1], *raw = row_[2], *d_seen = row_[3];
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      const Vector<T> old = load_up_to(before + unit, left), i = load_up_to(kept + unit, left);
      store(raw + unit, load_up_to(kept + units + unit, left) * old + i * load_up_to(kept + 2 * units + unit, left));
    }
    const Moments<T> m = moments(raw, units);
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      Vector<T> seen = normalised<T>(load(raw + unit), m) * load_up_to(call_.norm_c + unit, left);
      if (call_.bias_norm_c) seen += load_up_to(call_.bias_norm_c + unit, left);
      const Vector<T> y = activate<T>(kind, seen), o = load_up_to(kept + 3 * units + unit, left);
      Vector<T> dh = load(hidden + unit);
      zone_h_.share(dh, unit);
      store(d_o + unit, dh * y);
      const Vector<T> d = first_lanes<T>(dh * o * derivative<T>(kind, y), left);
      store(d_seen + unit, d);
      sums_.bias_norm_c.add(unit, d, left);
    }
    norm_backward(raw, call_.norm_c, d_seen, units, d_cell, sums_.norm_c.values);
  }

  void norms_back(int64_t step, int64_t id, int64_t at) {
    const int64_t columns = 4 * call_.units;
    const T* raw = call_.kept(step, id) + 6 * call_.units;
    norm_backward(raw, call_.norm_ih, chunk_.gates[at], columns, chunk_.x_gates[at], sums_.norm_ih.values);
    norm_backward(raw + columns, call_.norm_hh, chunk_.gates[at], columns, chunk_.h_gates[at], sums_.norm_hh.values);
  }

  void products() {
    const int64_t columns = 4 * call_.units;
    if (chunk_.size() == 0) return;
    if (sums_.hh.values) {
      accumulate(chunk_.h_read, call_.units, chunk_.h_gates[0], chunk_.pitch, columns, chunk_.size(), sums_.hh.values);
    }
    chunk_.input_products(sums_.ih, weights_.ih, columns);
    chunk_.restart();
  }

  const Call<T>& call_;
  const Rows<T> rows_;
  const InputRows<T> input_;
  const LstmBackWeights<T> weights_;
  LstmSums<T> sums_;
  Chunk<T> chunk_;
  T **hidden_, **cell_, **product_;  // gradients of the states, a row each; of the masked hidden state
  T *zeros_, *row_[4];               // of the row at hand, for the norm of its cell
  Zone<T> zone_h_, zone_c_;
};

// Add up what the tasks have found, for rows [begin, end) of the weights.
template <class T>
void lstm_collect(const Call<T>& call, int64_t begin, int64_t end) {
  const Gradients<T>& wanted = call.gradients;
  struct Vectors {
    T* gradient;
    RowSums<T> LstmSums<T>::* sums;
  };
  const Vectors vectors[] = {{wanted.bias_ih, &LstmSums<T>::bias},       {wanted.bias_hh, &LstmSums<T>::bias},
                             {wanted.peephole, &LstmSums<T>::peephole},  {wanted.norm_ih, &LstmSums<T>::norm_ih},
                             {wanted.norm_hh, &LstmSums<T>::norm_hh},    {wanted.norm_c, &LstmSums<T>::norm_c},
                             {wanted.bias_norm_c, &LstmSums<T>::bias_norm_c}};
  for (int32_t task = 0; task < call.tasks; ++task) {
    Arena arena(call.private_blocks + task * call.private_bytes, /*written=*/true);
    const LstmSums<T> sums(call, arena);
    if (wanted.weight_ih) sums.ih.add_to(wanted.weight_ih, begin, end, task == 0);
    if (wanted.weight_hh) sums.hh.add_to(wanted.weight_hh, begin, end, task == 0);
    for (const Vectors& v : vectors) {
      if (v.gradient) (sums.*v.sums).add_to(v.gradient, begin, end, task == 0);
    }
  }
}

template <class T>
size_t lstm_back_shared_bytes(const Call<T>& call) {
  Arena arena(nullptr);
  const LstmBackWeights<T> weights(call, arena);
  return arena.used();
}
