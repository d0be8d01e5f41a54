// The LSTM's walk over the steps. Included by isa.h.

// What all tasks read: the packed weights, and the sum of the biases.
template <class T, class Matrix>
struct LstmWeights {
  Matrix ih, hh;
  T* bias;

  LstmWeights(const Call<T>& call, Arena& arena)
      : ih(4 * call.units, call.inputs, arena),
        hh(4 * call.units, call.units, arena),
        bias(arena.take<T>(padded<T>(4 * call.units) + kLanes<T>)) {}
};

template <class T, class Matrix>
void lstm_prepare(const Call<T>& call) {
  Arena arena(call.shared);
  const LstmWeights<T, Matrix> weights(call, arena);
  const int64_t columns = 4 * call.units;
  weights.ih.pack(call.weight_ih);
  weights.hh.pack(call.weight_hh);
  for (int64_t at = 0; at < columns; ++at) {
    weights.bias[at] = (call.bias_ih ? call.bias_ih[at] : T(0)) + (call.bias_hh ? call.bias_hh[at] : T(0));
  }
}

template <class T, class Matrix>
class LstmForwardOn {
 public:
  LstmForwardOn(const Call<T>& call, int32_t task, Arena& shared, Arena& arena)
      : call_(call),
        rows_(call, task),
        input_(call),
        weights_(call, shared),
        int8_(call, rows_, input_, 4 * call.units, arena) {
    const int64_t rows = rows_.count(), units = call.units;
    sums_ = arena.take_rows<T>(rows, 4 * units);
    hidden_ = arena.take_rows<T>(rows, units);
    cell_ = arena.take_rows<T>(rows, units);
    masked_ = call.mask_h ? arena.take_rows<T>(rows, units) : hidden_;
    raw_ = call.normed() && !call.reserve ? arena.take_rows<T>(rows, 8 * units) : nullptr;
    x_sums_ = arena.take<T*>(rows);
    h_sums_ = arena.take<T*>(rows);
    copies_ = input_.copies() ? arena.take_rows<T>(rows, call.inputs) : nullptr;
    input_rows_ = arena.take<const T*>(rows);
    bias_rows_ = arena.take<const T*>(rows);
    raw_cell_ = arena.take<T>(padded<T>(units));
    open_ = arena.take<T>(padded<T>(units));
    zone_h_ = {call.options.zoneout_hidden, call.seed, 0, arena.take<T>(Zone<T>::room(units))};
    zone_c_ = {call.options.zoneout_cell, call.seed, 1, arena.take<T>(Zone<T>::room(units))};
  }

  template <class Activations>
  void walk() {
    start();
    const bool plain = !call_.peephole && !call_.zoned() && !call_.norm_c && !call_.mask_h &&
                       call_.rounding == Rounding::kNone;
    walk_forwards(call_, rows_, [&](int64_t step, int64_t working) {
      products(step, working);
      for (int64_t row = 0; row < working; ++row) {
        if (plain) {
          cell_of_row<Activations, true>(step, row);
        } else {
          cell_of_row<Activations, false>(step, row);
        }
      }
    });
    finish();
  }

 private:
  void start() {
    const int64_t units = call_.units;
    for (int64_t row = 0; row < rows_.count(); ++row) {
      const int64_t id = rows_.id(row);
      copy_state(call_.h_0, id, units, hidden_[row]);
      copy_state(call_.c_0, id, units, cell_[row]);
      if (call_.mask_h) mask_row(hidden_[row], call_.mask_h + id * units, units, call_.rounding, masked_[row]);
      bias_rows_[row] = weights_.bias;
    }
  }

  void products(int64_t step, int64_t working) {
    if constexpr (Matrix::kInt8) {
      int8_products(step, working);
    } else {
      plain_products(step, working);
    }
  }

  void int8_products(int64_t step, int64_t working) {
    const bool normed = call_.normed();
    float* const* sums = int8_.inputs(step, [&](const Int8Rows& rows, int64_t count, float* const* out) {
      multiply({weights_.ih, rows, normed ? nullptr : weights_.bias, false, out}, count);
    });
    for (int64_t row = 0; row < working; ++row) (normed ? x_sums_ : sums_)[row] = sums[row];
    multiply({weights_.hh, int8_.quantised(masked_, working), nullptr, !normed, normed ? raw_ : sums_}, working);
    for (int64_t row = 0; normed && row < working; ++row) {
      norm_products(x_sums_[row], call_.norm_ih, raw_[row], call_.norm_hh, weights_.bias, 4 * call_.units, sums_[row]);
    }
  }

  void plain_products(int64_t step, int64_t working) {
    const int64_t units = call_.units;
    for (int64_t row = 0; row < working; ++row) {
      input_rows_[row] = input_.row(step, rows_.id(row), copies_ ? copies_[row] : nullptr);
    }
    const Operand<T> operands[] = {weights_.ih.operand(input_rows_), weights_.hh.operand(masked_)};
    if (!call_.normed()) {
      multiply(operands, 2, working, 4 * units, bias_rows_, sums_);
      return;
    }
    for (int64_t row = 0; row < working; ++row) {  // backward reads the raw products
      x_sums_[row] = call_.reserve ? call_.kept(step, rows_.id(row)) + 6 * units : raw_[row];
      h_sums_[row] = x_sums_[row] + 4 * units;
    }
    multiply<T>(operands, 1, working, 4 * units, nullptr, x_sums_);
    multiply<T>(operands + 1, 1, working, 4 * units, nullptr, h_sums_);
    for (int64_t row = 0; row < working; ++row) {
      norm_products(x_sums_[row], call_.norm_ih, h_sums_[row], call_.norm_hh, weights_.bias, 4 * units, sums_[row]);
    }
  }

  // Where the new hidden state of a row goes; null: nowhere.
  struct Targets {
    T *hidden, *kept, *output, *masked;
    const T* mask;
  };

  // Gates, cell and output of one row; `kPlain` leaves out every option.
  template <class Activations, bool kPlain>
  void cell_of_row(int64_t step, int64_t row) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units, id = rows_.id(row);
    const T *sums = sums_[row], *peephole = kPlain ? nullptr : call_.peephole;
    T *cell = cell_[row], *kept = call_.reserve ? call_.kept(step, id) : nullptr;
    const Targets targets{hidden_[row], kept ? kept + 5 * units : nullptr,
                          call_.output.data ? call_.output.at(step, id) : nullptr, masked_[row],
                          call_.mask_h ? call_.mask_h + id * units : nullptr};
    const bool normed = !kPlain && call_.norm_c;
    if constexpr (!kPlain) {
      zone_h_.draw(step, id, units);
      zone_c_.draw(step, id, units);
    }
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      Vector<T> u_i = load(sums + unit), u_f = load(sums + units + unit);
      const Vector<T> u_g = load(sums + 2 * units + unit), old = load(cell + unit);
      Vector<T> u_o = load(sums + 3 * units + unit);
      if (peephole) {
        u_i += load_up_to(peephole + unit, left) * old;
        u_f += load_up_to(peephole + units + unit, left) * old;
      }
      const Vector<T> i = activate<T>(kinds.gate, u_i), f = activate<T>(kinds.gate, u_f);
      const Vector<T> g = activate<T>(kinds.state, u_g), now = f * old + i * g;
      if (peephole) u_o += load_up_to(peephole + 2 * units + unit, left) * now;
      const Vector<T> o = activate<T>(kinds.gate, u_o);
      const Vector<T> carried = kPlain ? now : zone_c_.apply(old, now, unit);
      store(cell + unit, carried);
      if (kept) {
        store_up_to(kept + unit, i, left);
        store_up_to(kept + units + unit, f, left);
        store_up_to(kept + 2 * units + unit, g, left);
        store_up_to(kept + 3 * units + unit, o, left);
        store_up_to(kept + 4 * units + unit, carried, left);
      }
      if (normed) {
        store(raw_cell_ + unit, now);
        store(open_ + unit, o);
      } else {
        emit<kPlain>(targets, unit, left, o * activate<T>(kinds.state, now));
      }
    }
    if constexpr (!kPlain) {
      if (normed) normed_output(kinds.state, targets);
      if (call_.rounding != Rounding::kNone) round_hidden(targets);
    }
  }

  void normed_output(Activation kind, const Targets& targets) {
    const int64_t units = call_.units;
    const Moments<T> m = moments(raw_cell_, units);
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      Vector<T> seen = normalised<T>(load(raw_cell_ + unit), m) * load_up_to(call_.norm_c + unit, left);
      if (call_.bias_norm_c) seen += load_up_to(call_.bias_norm_c + unit, left);
      emit<false>(targets, unit, left, load(open_ + unit) * activate<T>(kind, seen));
    }
  }

  // Hand on the new hidden state of some units.
  template <bool kPlain>
  TIDEGATE_INLINE void emit(const Targets& targets, int64_t unit, int64_t left, Vector<T> now) const {
    if constexpr (!kPlain) {
      now = zone_h_.apply(load(targets.hidden + unit), now, unit);
      if (targets.mask) store(targets.masked + unit, now * load_up_to(targets.mask + unit, left));
    }
    store(targets.hidden + unit, now);
    if (targets.kept) store_up_to(targets.kept + unit, now, left);
    if (targets.output) store_up_to(targets.output + unit, now, left);
  }

  void round_hidden(const Targets& targets) const {
    const int64_t units = call_.units;
    round_row(targets.hidden, units, call_.rounding);
    if (targets.mask) mask_row(targets.hidden, targets.mask, units, call_.rounding, targets.masked);
    if (targets.kept) copy(targets.hidden, units, targets.kept);
    if (targets.output) copy(targets.hidden, units, targets.output);
  }

  void finish() {
    for (int64_t row = 0; row < rows_.count(); ++row) {
      const int64_t at = rows_.id(row) * call_.units;
      copy(hidden_[row], call_.units, call_.h_n + at);
      copy(cell_[row], call_.units, call_.c_n + at);
    }
  }

  const Call<T>& call_;
  const Rows<T> rows_;
  const InputRows<T> input_;
  const LstmWeights<T, Matrix> weights_;
  typename Matrix::Steps int8_;
  T **sums_, **hidden_, **cell_, **masked_, **raw_, **x_sums_, **h_sums_, **copies_;  // a row each
  const T **input_rows_, **bias_rows_;
  T *raw_cell_, *open_;  // of the row at hand, for the norm of its cell
  Zone<T> zone_h_, zone_c_;
};

template <class T, class Matrix>
size_t lstm_shared_bytes(const Call<T>& call) {
  Arena arena(nullptr);
  const LstmWeights<T, Matrix> weights(call, arena);
  return arena.used();
}
