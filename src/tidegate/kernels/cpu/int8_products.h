// Products of int8 weights with quantised rows, on register tiles like those of products.h. Included by isa.h.

// Quantised rows and their scales.
struct Int8Rows {
  int32_t** groups;
  float* scales;

  Int8Rows(int64_t rows, int64_t depth, Arena& arena)
      : groups(arena.take_rows<int32_t>(rows, groups_of(depth))), scales(arena.take<float>(rows)) {}
  void read(int64_t row, const float* values, int64_t depth) const {
    scales[row] = quantise(values, depth, groups[row]);
  }
};

class Int8Steps;

struct Int8Matrix {
  static constexpr bool kInt8 = true;
  using Steps = Int8Steps;
  int64_t columns, depth;
  int32_t *groups, *starts;  // panels [group][width]; what the sums of the columns start from
  float* scales;             // of the columns

  Int8Matrix(int64_t columns, int64_t depth, Arena& arena)
      : columns(columns),
        depth(depth),
        groups(arena.take<int32_t>(packed_size<float>(columns, groups_of(depth)))),
        starts(arena.take<int32_t>(padded<float>(columns))),
        scales(arena.take<float>(padded<float>(columns))) {}

  // Pack w[column][k], contiguous.
  void pack(const float* w) const {
    const Partition<float> parts(columns);
    clear(groups, packed_size<float>(columns, groups_of(depth)));
    clear(starts, padded<float>(columns));
    clear(scales, padded<float>(columns));
    for (int64_t panel = 0; panel < parts.count; ++panel) {
      const int64_t first = parts.first(panel), width = parts.vectors(panel) * kLanes<float>;
      auto* to = reinterpret_cast<Narrow*>(groups + first * groups_of(depth));
      for (int64_t column = 0; column < width && first + column < columns; ++column) {
        pack_column(w + (first + column) * depth, first + column, to + column * kGroup, width * kGroup);
      }
    }
  }

 private:
  void pack_column(const float* w, int64_t column, Narrow* to, int64_t pitch) const {
    const Quantiser quantiser = quantiser_of(w, depth);
    int32_t total = 0;
    scales[column] = quantiser.scale;
    if (!(quantiser.inverse == quantiser.inverse)) return;
    for (int64_t k = 0; k < depth; ++k) {
      const auto value = static_cast<Narrow>(__builtin_rintf(w[k] * quantiser.inverse));
      to[k / kGroup * pitch + k % kGroup] = value;
      total += value;
    }
    starts[column] = -kShift * total;
  }
};

struct Int8Product {
  const Int8Matrix& matrix;
  const Int8Rows& rows;
  const float* bias;  // added to the products, the same for all rows; null: nothing
  bool onto;          // add to what `out` holds already
  float* const* out;
  int64_t offset = 0;  // of the first column in the rows of `out`

  TIDEGATE_INLINE Lanes start(int64_t column) const { return kShift ? load(matrix.starts + column) : Lanes{}; }

  template <int kVectors>
  TIDEGATE_INLINE void finish(int64_t row, int64_t column, const Lanes (&sums)[kVectors]) const {
    float* to = out[row] + offset + column;
    const float* beneath = onto ? to : bias ? bias + column : nullptr;
    const Vector<float> row_scale = splat(rows.scales[row]);
    const float* scales = matrix.scales + column;
    const int64_t left = matrix.columns - column;
    if (beneath && left >= kVectors * kLanes<float>) {  // nearly always: apart, so that the sums stay in registers
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = v * kLanes<float>;
        store(to + at, scaled(sums[v], load(scales + at) * row_scale, load(beneath + at)));
      }
      return;
    }
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = v * kLanes<float>;
      // What is read past the columns is left out again: the rows of a walk, and its biases, go on for a vector.
      const Vector<float> base = beneath ? load(beneath + at) : Vector<float>{};
      const Vector<float> value = scaled(sums[v], load(scales + at) * row_scale, base);
      store_up_to(to + at, value, left - at);
    }
  }

 private:
  // The same in every case, so that a row's bits do not depend on the batch that it is in.
  static TIDEGATE_INLINE Vector<float> scaled(Lanes sums, Vector<float> scale, Vector<float> base) {
    return base + __builtin_convertvector(sums, Vector<float>) * scale;
  }
};

template <int kRows, int kVectors>
void int8_tile(const Int8Product& product, int64_t row, int64_t column) {
  constexpr int64_t kWidth = kVectors * kLanes<float>;
  const int64_t count = groups_of(product.matrix.depth);
  Lanes sums[kRows][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    for (int r = 0; r < kRows; ++r) sums[r][v] = product.start(column + v * kLanes<float>);
  }
  const int32_t* panel = product.matrix.groups + column * count;
  const int32_t* rows[kRows];
  for (int r = 0; r < kRows; ++r) rows[r] = product.rows.groups[row + r];
  for (int64_t group = 0; group < count; ++group, panel += kWidth) {
    Lanes weights[kVectors];
    for (int v = 0; v < kVectors; ++v) weights[v] = load(panel + v * kLanes<float>);
    for (int r = 0; r < kRows; ++r) {
      const Factor factor(rows[r][group]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = multiplied(sums[r][v], factor, weights[v]);
    }
  }
  for (int r = 0; r < kRows; ++r) product.finish(row + r, column, sums[r]);
}

// A single row, two neighbouring panels at once.
template <int kLeft, int kRight>
void int8_row(const Int8Product& product, int64_t column) {
  constexpr int kVectors = kLeft + kRight;
  const int64_t count = groups_of(product.matrix.depth);
  Lanes sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = product.start(column + v * kLanes<float>);
  const int32_t* left = product.matrix.groups + column * count;
  const int32_t* right = left + kLeft * kLanes<float> * count;
  const int32_t* row = product.rows.groups[0];
  for (int64_t group = 0; group < count; ++group) {
    const Factor factor(row[group]);
    for (int v = 0; v < kLeft; ++v) sums[v] = multiplied(sums[v], factor, load(left + v * kLanes<float>));
    for (int v = 0; v < kRight; ++v) sums[kLeft + v] = multiplied(sums[kLeft + v], factor, load(right + v * kLanes<float>));
    left += kLeft * kLanes<float>;
    right += kRight * kLanes<float>;
  }
  product.finish(0, column, sums);
}

constexpr int int8_tile_rows(int vectors) {
  return kAccumulators / vectors < kTileRows ? kAccumulators / vectors : kTileRows;
}

struct Int8Tiles {
  using Multiply = void (*)(const Int8Product&, int64_t, int64_t);
  using Row = void (*)(const Int8Product&, int64_t);
  Multiply multiply[kTileVectors][kTileRows] = {};
  Row row[kTileVectors][2] = {};  // by the vectors of the left panel, and how many fewer the right one has

  template <int kVectors, int kRows>
  constexpr void fill() {
    if constexpr (kRows <= int8_tile_rows(kVectors)) {
      multiply[kVectors - 1][kRows - 1] = &int8_tile<kRows, kVectors>;
      if constexpr (kRows < int8_tile_rows(kVectors)) fill<kVectors, kRows + 1>();
    }
    if constexpr (kRows == 1) {
      row[kVectors - 1][0] = &int8_row<kVectors, kVectors>;
      if constexpr (kVectors > 1) row[kVectors - 1][1] = &int8_row<kVectors, kVectors - 1>;
      if constexpr (kVectors < kTileVectors) fill<kVectors + 1, 1>();
    }
  }
  constexpr Int8Tiles() { fill<1, 1>(); }
};

inline constexpr Int8Tiles kInt8Tiles{};

inline void multiply(const Int8Product& product, int64_t rows) {
  const Partition<float> parts(product.matrix.columns);
  for (int64_t panel = 0; panel < parts.count; ++panel) {
    const int64_t vectors = parts.vectors(panel), column = parts.first(panel);
    if (rows == 1 && panel + 1 < parts.count) {
      kInt8Tiles.row[vectors - 1][vectors - parts.vectors(++panel)](product, column);
      continue;
    }
    const auto& tiles = kInt8Tiles.multiply[vectors - 1];
    in_tiles(rows, int8_tile_rows(static_cast<int>(vectors)),
             [&](int64_t row, int64_t size) { tiles[size - 1](product, row, column); });
  }
}
