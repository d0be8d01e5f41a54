// Matrix products on register tiles. Included by isa.h.
//
// Two forms cover everything that a recurrence needs:
//   multiply    out[r][n]  = init[r][n] + sum over operands and k of rows[r][k] * panels[k][n]      (a step, for all rows)
//   accumulate  out[i][j] += sum over n of a[n][i] * d[n][j]                                         (weight gradients)
// Rows are given by pointers, so that nothing is copied because of strides, lengths or the order of rows.

constexpr int kTileVectors = TIDEGATE_TILE_VECTORS;  // columns of a panel, in vectors, at most
constexpr int kTileRows = 8;                         // rows of a tile, at most

// With as many accumulators as the registers hold beside the operands: 24 of 32 with AVX-512, 12 of 16 before.
constexpr int tile_rows(int vectors) {
  constexpr int registers = TIDEGATE_TILE_VECTORS == 4 ? 24 : 12;
  return registers / vectors < kTileRows ? registers / vectors : kTileRows;
}

// Columns are cut into panels of nearly the same width: 13 vectors make 4 + 3 + 3 + 3, not 4 + 4 + 4 + 1.
template <class T>
struct Partition {
  int64_t count, base, extra;

  explicit Partition(int64_t columns) {
    const int64_t vectors = (columns + kLanes<T> - 1) / kLanes<T>;
    count = (vectors + kTileVectors - 1) / kTileVectors;
    base = count ? vectors / count : 0;
    extra = count ? vectors % count : 0;
  }
  int64_t vectors(int64_t panel) const { return base + (panel < extra); }
  int64_t first(int64_t panel) const { return kLanes<T> * (panel * base + (panel < extra ? panel : extra)); }
};

template <class T>
constexpr int64_t packed_size(int64_t columns, int64_t depth) {
  return padded<T>(columns) * depth;
}

// Four rows of four, turned round.
constexpr int64_t kQuad = 4;
template <class T>
struct QuadOf {
  typedef T type __attribute__((vector_size(kQuad * sizeof(T))));
};

template <class T>
TIDEGATE_INLINE void transpose_quads(const T* from, int64_t pitch, typename QuadOf<T>::type (&turned)[kQuad]) {
  using Quad = typename QuadOf<T>::type;
  Quad a, b, c, d;
  __builtin_memcpy(&a, from, sizeof a);
  __builtin_memcpy(&b, from + pitch, sizeof b);
  __builtin_memcpy(&c, from + 2 * pitch, sizeof c);
  __builtin_memcpy(&d, from + 3 * pitch, sizeof d);
  const Quad ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5), bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
  const Quad ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7), bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  turned[0] = __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5);
  turned[1] = __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7);
  turned[2] = __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5);
  turned[3] = __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7);
}

// Pack w[column][k] (row pitch `pitch`) into panels [k][width].
template <class T>
void pack_transposed(const T* w, int64_t pitch, int64_t columns, int64_t depth, T* to) {
  const Partition<T> parts(columns);
  for (int64_t panel = 0; panel < parts.count; ++panel) {
    const int64_t first = parts.first(panel), width = parts.vectors(panel) * kLanes<T>;
    T* out = to + first * depth;
    for (int64_t column = 0; column < width; column += kQuad) {
      int64_t k = 0;
      for (; first + column + kQuad <= columns && k + kQuad <= depth; k += kQuad) {
        typename QuadOf<T>::type turned[kQuad];
        transpose_quads(w + (first + column) * pitch + k, pitch, turned);
        for (int64_t row = 0; row < kQuad; ++row) {
          __builtin_memcpy(out + (k + row) * width + column, &turned[row], sizeof turned[row]);
        }
      }
      for (; k < depth; ++k) {
        for (int64_t lane = 0; lane < kQuad; ++lane) {
          const int64_t source = first + column + lane;
          out[k * width + column + lane] = source < columns ? w[source * pitch + k] : T(0);
        }
      }
    }
  }
}

// Pack w[k][column] (row pitch `pitch`) into panels [k][width].
template <class T>
void pack(const T* w, int64_t pitch, int64_t columns, int64_t depth, T* to) {
  const Partition<T> parts(columns);
  for (int64_t panel = 0; panel < parts.count; ++panel) {
    const int64_t first = parts.first(panel), width = parts.vectors(panel) * kLanes<T>;
    T* out = to + first * depth;
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t lane = 0; lane < width; lane += kLanes<T>) {
        const int64_t left = columns - first - lane;
        const T* from = w + k * pitch + first + lane;
        store(out + k * width + lane, load_up_to(from, left));
      }
    }
  }
}

template <class T>
struct Operand {
  const T* const* rows;  // rows[r][k]
  const T* panels;       // as packed
  int64_t depth;
  int64_t packed_depth;  // of the panels, which may hold more
  int64_t skipped = 0;   // the first k of the panels
};

template <class T, int kRows, int kVectors>
void multiply_tile(const Operand<T>* operands, int count, int64_t row, int64_t column, int64_t valid,
                   const T* const* init, T* const* out) {
  constexpr int64_t kWidth = kVectors * kLanes<T>;
  Vector<T> sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = column + v * kLanes<T>, left = valid - v * kLanes<T>;
      sums[r][v] = init ? load_up_to(init[row + r] + at, left) : Vector<T>{};
    }
  }
  for (int index = 0; index < count; ++index) {
    const Operand<T>& operand = operands[index];
    const T* panel = operand.panels + column * operand.packed_depth + operand.skipped * kWidth;
    const T* rows[kRows];
    for (int r = 0; r < kRows; ++r) rows[r] = operand.rows[row + r];
    for (int64_t k = 0; k < operand.depth; ++k, panel += kWidth) {
      Vector<T> columns[kVectors];
      for (int v = 0; v < kVectors; ++v) columns[v] = load(panel + v * kLanes<T>);
      for (int r = 0; r < kRows; ++r) {
        const Vector<T> factor = splat(rows[r][k]);
        for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * columns[v];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      store_up_to(out[row + r] + column + v * kLanes<T>, sums[r][v], valid - v * kLanes<T>);
    }
  }
}

// A single row, two neighbouring panels at once: one has too few sums to keep the multipliers busy.
template <class T, int kLeft, int kRight>
void multiply_row(const Operand<T>* operands, int count, int64_t column, int64_t valid, const T* init, T* out) {
  constexpr int kVectors = kLeft + kRight;
  Vector<T> sums[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = v * kLanes<T>;
    sums[v] = init ? load_up_to(init + column + at, valid - at) : Vector<T>{};
  }
  for (int index = 0; index < count; ++index) {
    const Operand<T>& operand = operands[index];
    const T* left = operand.panels + column * operand.packed_depth + operand.skipped * kLeft * kLanes<T>;
    const T* right = operand.panels + (column + kLeft * kLanes<T>) * operand.packed_depth +
                     operand.skipped * kRight * kLanes<T>;
    const T* row = operand.rows[0];
    for (int64_t k = 0; k < operand.depth; ++k, left += kLeft * kLanes<T>, right += kRight * kLanes<T>) {
      const Vector<T> factor = splat(row[k]);
      for (int v = 0; v < kLeft; ++v) sums[v] += factor * load(left + v * kLanes<T>);
      for (int v = 0; v < kRight; ++v) sums[kLeft + v] += factor * load(right + v * kLanes<T>);
    }
  }
  for (int v = 0; v < kVectors; ++v) store_up_to(out + column + v * kLanes<T>, sums[v], valid - v * kLanes<T>);
}

template <class T, int kRows, int kVectors>
void accumulate_tile(const T* const* a, int64_t column, const T* d, int64_t pitch, int64_t count, T* out,
                     int64_t out_pitch) {
  Vector<T> sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = load(out + r * out_pitch + v * kLanes<T>);
  }
  for (int64_t n = 0; n < count; ++n, d += pitch) {
    const T* factors = a[n] + column;
    Vector<T> columns[kVectors];
    for (int v = 0; v < kVectors; ++v) columns[v] = load(d + v * kLanes<T>);
    for (int r = 0; r < kRows; ++r) {
      const Vector<T> factor = splat(factors[r]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * columns[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) store(out + r * out_pitch + v * kLanes<T>, sums[r][v]);
  }
}

// Tiles of every size, to be chosen from at run time.
template <class T>
struct Tiles {
  using Multiply = void (*)(const Operand<T>*, int, int64_t, int64_t, int64_t, const T* const*, T* const*);
  using Row = void (*)(const Operand<T>*, int, int64_t, int64_t, const T*, T*);
  using Accumulate = void (*)(const T* const*, int64_t, const T*, int64_t, int64_t, T*, int64_t);
  Multiply multiply[kTileVectors][kTileRows] = {};
  Row row[kTileVectors][2] = {};  // by the vectors of the left panel, and how many fewer the right one has
  Accumulate accumulate[kTileVectors][kTileRows] = {};

  template <int kVectors, int kRows>
  constexpr void fill() {
    if constexpr (kRows <= tile_rows(kVectors)) {
      multiply[kVectors - 1][kRows - 1] = &multiply_tile<T, kRows, kVectors>;
      accumulate[kVectors - 1][kRows - 1] = &accumulate_tile<T, kRows, kVectors>;
      if constexpr (kRows < tile_rows(kVectors)) fill<kVectors, kRows + 1>();
    }
    if constexpr (kRows == 1) {
      row[kVectors - 1][0] = &multiply_row<T, kVectors, kVectors>;
      if constexpr (kVectors > 1) row[kVectors - 1][1] = &multiply_row<T, kVectors, kVectors - 1>;
      if constexpr (kVectors < kTileVectors) fill<kVectors + 1, 1>();
    }
  }
  constexpr Tiles() { fill<1, 1>(); }
};

template <class T>
inline constexpr Tiles<T> kTiles{};

// Call use(first, size) for tiles of nearly the same size, none above `most`.
template <class Use>
TIDEGATE_INLINE void in_tiles(int64_t count, int64_t most, const Use& use) {
  const int64_t tiles = (count + most - 1) / most;
  for (int64_t tile = 0, first = 0; tile < tiles; ++tile) {
    const int64_t size = (count - first + tiles - tile - 1) / (tiles - tile);
    use(first, size);
    first += size;
  }
}

// A panel stays in the nearest cache while all rows pass by.
template <class T>
void multiply(const Operand<T>* operands, int count, int64_t rows, int64_t columns, const T* const* init, T* const* out) {
  const Partition<T> parts(columns);
  for (int64_t panel = 0; panel < parts.count; ++panel) {
    const int64_t vectors = parts.vectors(panel), column = parts.first(panel);
    const int64_t valid = columns - column;
    if (rows == 1 && panel + 1 < parts.count) {
      const auto pair = kTiles<T>.row[vectors - 1][vectors - parts.vectors(++panel)];
      pair(operands, count, column, valid, init ? init[0] : nullptr, out[0]);
      continue;
    }
    const auto& tiles = kTiles<T>.multiply[vectors - 1];
    in_tiles(rows, tile_rows(static_cast<int>(vectors)), [&](int64_t row, int64_t size) {
      tiles[size - 1](operands, count, row, column, valid, init, out);
    });
  }
}

// `out` and `d` have whole vectors of columns; what is read past `columns` lands in the padding of `out`.
template <class T>
void accumulate(const T* const* a, int64_t features, const T* d, int64_t pitch, int64_t columns, int64_t count, T* out) {
  constexpr int64_t kDepth = 128;  // rows of d whose strip stays in the nearest cache
  const Partition<T> parts(columns);
  const int64_t out_pitch = padded<T>(columns);
  for (int64_t start = 0; start < count; start += kDepth) {
    const int64_t depth = count - start < kDepth ? count - start : kDepth;
    for (int64_t panel = 0; panel < parts.count; ++panel) {
      const int64_t vectors = parts.vectors(panel), column = parts.first(panel);
      const auto& tiles = kTiles<T>.accumulate[vectors - 1];
      in_tiles(features, tile_rows(static_cast<int>(vectors)), [&](int64_t feature, int64_t size) {
        tiles[size - 1](a + start, feature, d + start * pitch + column, pitch, depth, out + feature * out_pitch + column,
                        out_pitch);
      });
    }
  }
}
