// The GRU's walk over the steps. Included by isa.h.
//
// The sums of a row lie as r, z, n, q: n from the input alone, q from the hidden state alone, before or after the reset.

template <class T, class Matrix>
struct GruWeights {
  Matrix ih, ih_n, hh, hh_n;  // of r and z together, of n alone
  T* bias;

  GruWeights(const Call<T>& call, Arena& arena)
      : ih(2 * call.units, call.inputs, arena),
        ih_n(call.units, call.inputs, arena),
        hh(2 * call.units, call.units, arena),
        hh_n(call.units, call.units, arena),
        bias(arena.take<T>(padded<T>(4 * call.units) + kLanes<T>)) {}
};

template <class T, class Matrix>
void gru_prepare(const Call<T>& call) {
  Arena arena(call.shared);
  const GruWeights<T, Matrix> weights(call, arena);
  const int64_t units = call.units;
  weights.ih.pack(call.weight_ih);
  weights.ih_n.pack(call.weight_ih + 2 * units * call.inputs);
  weights.hh.pack(call.weight_hh);
  weights.hh_n.pack(call.weight_hh + 2 * units * units);
  for (int64_t at = 0; at < 3 * units; ++at) {
    const T from_x = call.bias_ih ? call.bias_ih[at] : T(0), from_h = call.bias_hh ? call.bias_hh[at] : T(0);
    weights.bias[at] = at < 2 * units ? from_x + from_h : from_x;
    if (at >= 2 * units) weights.bias[at + units] = from_h;
  }
}

template <class T, class Matrix>
class GruForwardOn {
 public:
  GruForwardOn(const Call<T>& call, int32_t task, Arena& shared, Arena& arena)
      : call_(call),
        rows_(call, task),
        input_(call),
        weights_(call, shared),
        int8_(call, rows_, input_, 4 * call.units, arena) {
    const int64_t rows = rows_.count(), units = call.units;
    sums_ = arena.take_rows<T>(rows, 4 * units);
    hidden_ = arena.take_rows<T>(rows, units);
    masked_ = call.mask_h ? arena.take_rows<T>(rows, units) : hidden_;
    reset_ = call.options.reset_after ? nullptr : arena.take_rows<T>(rows, units);
    raw_ = call.normed() && !call.reserve ? arena.take_rows<T>(rows, 6 * units) : nullptr;
    x_sums_ = arena.take<T*>(rows);
    h_sums_ = arena.take<T*>(rows);
    copies_ = input_.copies() ? arena.take_rows<T>(rows, call.inputs) : nullptr;
    input_rows_ = arena.take<const T*>(rows);
    for (auto& pointers : bias_rows_) pointers = arena.take<const T*>(rows);
    for (auto& pointers : parts_) pointers = arena.take<T*>(rows);
    zone_ = {call.options.zoneout_hidden, call.seed, 0, arena.take<T>(Zone<T>::room(units))};
  }

  template <class Activations>
  void walk() {
    start();
    const bool plain = !call_.zoned() && !call_.mask_h && call_.rounding == Rounding::kNone;
    walk_forwards(call_, rows_, [&](int64_t step, int64_t working) {
      products(step, working);
      if (reset_) reset_products<Activations>(working);
      for (int64_t row = 0; row < working; ++row) {
        if (plain) {
          cell_of_row<Activations, true>(step, row);
        } else {
          cell_of_row<Activations, false>(step, row);
        }
      }
    });
    for (int64_t row = 0; row < rows_.count(); ++row) {
      copy(hidden_[row], call_.units, call_.h_n + rows_.id(row) * call_.units);
    }
  }

 private:
  void start() {
    const int64_t units = call_.units;
    for (int64_t row = 0; row < rows_.count(); ++row) {
      const int64_t id = rows_.id(row);
      copy_state(call_.h_0, id, units, hidden_[row]);
      if (call_.mask_h) mask_row(hidden_[row], call_.mask_h + id * units, units, call_.rounding, masked_[row]);
      for (int part = 0; part < 3; ++part) {  // r and z, n, q
        bias_rows_[part][row] = weights_.bias + (part ? (part + 1) * units : 0);
      }
      for (int part = 0; part < 2; ++part) parts_[part][row] = sums_[row] + (2 + part) * units;
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
    const int64_t units = call_.units;
    const bool normed = call_.normed();
    const float* bias = normed ? nullptr : weights_.bias;
    float* const* from_x = int8_.inputs(step, [&](const Int8Rows& rows, int64_t count, float* const* out) {
      multiply({weights_.ih, rows, bias, false, out}, count);
      multiply({weights_.ih_n, rows, bias ? bias + 2 * units : nullptr, false, out, 2 * units}, count);
    });
    for (int64_t row = 0; row < working; ++row) (normed ? x_sums_ : sums_)[row] = from_x[row];
    const Int8Rows& h = int8_.quantised(masked_, working);
    multiply({weights_.hh, h, nullptr, !normed, normed ? raw_ : sums_}, working);
    if (normed) {
      multiply({weights_.hh_n, h, nullptr, false, raw_, 2 * units}, working);
      for (int64_t row = 0; row < working; ++row) {
        h_sums_[row] = raw_[row];
        norms(row);
      }
    } else if (!reset_) {
      multiply({weights_.hh_n, h, bias + 3 * units, false, sums_, 3 * units}, working);
    }
  }

  void plain_products(int64_t step, int64_t working) {
    const int64_t units = call_.units;
    for (int64_t row = 0; row < working; ++row) {
      input_rows_[row] = input_.row(step, rows_.id(row), copies_ ? copies_[row] : nullptr);
    }
    const Operand<T> gates[] = {weights_.ih.operand(input_rows_), weights_.hh.operand(masked_)};
    const Operand<T> x_n = weights_.ih_n.operand(input_rows_), h_n = weights_.hh_n.operand(masked_);
    if (!call_.normed()) {
      multiply(gates, 2, working, 2 * units, bias_rows_[0], sums_);
      multiply(&x_n, 1, working, units, bias_rows_[1], parts_[0]);
      if (!reset_) multiply(&h_n, 1, working, units, bias_rows_[2], parts_[1]);
      return;
    }
    for (int64_t row = 0; row < working; ++row) {  // backward reads the raw products
      x_sums_[row] = call_.reserve ? call_.kept(step, rows_.id(row)) + 5 * units : raw_[row];
      h_sums_[row] = x_sums_[row] + 3 * units;
      parts_[0][row] = x_sums_[row] + 2 * units;
      parts_[1][row] = h_sums_[row] + 2 * units;
    }
    multiply<T>(gates, 1, working, 2 * units, nullptr, x_sums_);
    multiply<T>(&x_n, 1, working, units, nullptr, parts_[0]);
    multiply<T>(gates + 1, 1, working, 2 * units, nullptr, h_sums_);
    multiply<T>(&h_n, 1, working, units, nullptr, parts_[1]);
    for (int64_t row = 0; row < working; ++row) norms(row);
  }

  void norms(int64_t row) {
    const int64_t units = call_.units, columns = 3 * units;
    const T *x = x_sums_[row], *h = h_sums_[row], *bias = weights_.bias;
    T* sums = sums_[row];
    const Moments<T> of_x = moments(x, columns), of_h = moments(h, columns);
    for (int64_t at = 0; at < columns; at += kLanes<T>) {
      const int64_t left = columns - at;
      const Vector<T> from_x = normalised<T>(load_up_to(x + at, left), of_x) * load_up_to(call_.norm_ih + at, left);
      store_up_to(sums + at, load(bias + at) + from_x, left);
    }
    const auto add_h = [&](int64_t at, int64_t end, int64_t to) {
      for (; at < end; at += kLanes<T>, to += kLanes<T>) {
        const int64_t left = end - at;
        const Vector<T> from_h = normalised<T>(load_up_to(h + at, left), of_h) * load_up_to(call_.norm_hh + at, left);
        store_up_to(sums + to, load(sums + to) + from_h, left);
      }
    };
    add_h(0, 2 * units, 0);
    copy(bias + columns, units, sums + columns);
    add_h(2 * units, columns, columns);
  }

  // reset_after=False: r first, then the product with the hidden state that it lets through.
  template <class Activations>
  void reset_products(int64_t working) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units;
    for (int64_t row = 0; row < working; ++row) {
      for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
        const Vector<T> r = activate<T>(kinds.gate, load(sums_[row] + unit));
        store(reset_[row] + unit, r * load(hidden_[row] + unit));
      }
      const T* mask = call_.mask_h ? call_.mask_h + rows_.id(row) * units : nullptr;
      if (mask) mask_row(reset_[row], mask, units, call_.rounding, reset_[row]);
      round_row(reset_[row], units, call_.rounding);
    }
    if constexpr (Matrix::kInt8) {
      const Int8Rows& through = int8_.quantised(reset_, working);
      multiply({weights_.hh_n, through, weights_.bias + 3 * units, false, sums_, 3 * units}, working);
    } else {
      const Operand<T> operand = weights_.hh_n.operand(reset_);
      multiply(&operand, 1, working, units, bias_rows_[2], parts_[1]);
    }
  }

  template <class Activations, bool kPlain>
  void cell_of_row(int64_t step, int64_t row) {
    const Activations kinds(call_.options);
    const int64_t units = call_.units, id = rows_.id(row);
    const T* sums = sums_[row];
    T *hidden = hidden_[row], *kept = call_.reserve ? call_.kept(step, id) : nullptr;
    T* output = call_.output.data ? call_.output.at(step, id) : nullptr;
    const T* mask = call_.mask_h ? call_.mask_h + id * units : nullptr;
    const bool after = call_.options.reset_after;
    if constexpr (!kPlain) zone_.draw(step, id, units);
    for (int64_t unit = 0; unit < units; unit += kLanes<T>) {
      const int64_t left = units - unit;
      const Vector<T> r = activate<T>(kinds.gate, load(sums + unit));
      const Vector<T> z = activate<T>(kinds.gate, load(sums + units + unit));
      const Vector<T> q = load(sums + 3 * units + unit), old = load(hidden + unit);
      const Vector<T> n = activate<T>(kinds.state, load(sums + 2 * units + unit) + (after ? r * q : q));
      Vector<T> now = n + z * (old - n);
      if constexpr (!kPlain) {
        now = zone_.apply(old, now, unit);
        if (mask) store(masked_[row] + unit, now * load_up_to(mask + unit, left));
      }
      store(hidden + unit, now);
      if (kept) {
        store_up_to(kept + unit, r, left);
        store_up_to(kept + units + unit, z, left);
        store_up_to(kept + 2 * units + unit, n, left);
        store_up_to(kept + 3 * units + unit, q, left);
        store_up_to(kept + 4 * units + unit, now, left);
      }
      if (output) store_up_to(output + unit, now, left);
    }
    if (!kPlain && call_.rounding != Rounding::kNone) {
      round_row(hidden, units, call_.rounding);
      if (mask) mask_row(hidden, mask, units, call_.rounding, masked_[row]);
      if (kept) copy(hidden, units, kept + 4 * units);
      if (output) copy(hidden, units, output);
    }
  }

  const Call<T>& call_;
  const Rows<T> rows_;
  const InputRows<T> input_;
  const GruWeights<T, Matrix> weights_;
  typename Matrix::Steps int8_;
  T **sums_, **hidden_, **masked_, **reset_, **raw_, **x_sums_, **h_sums_, **copies_;  // a row each
  const T **input_rows_, **bias_rows_[3];
  T** parts_[2];  // where n and q of the sums lie, or n of both raw products
  Zone<T> zone_;
};

template <class T, class Matrix>
size_t gru_shared_bytes(const Call<T>& call) {
  Arena arena(nullptr);
  const GruWeights<T, Matrix> weights(call, arena);
  return arena.used();
}
