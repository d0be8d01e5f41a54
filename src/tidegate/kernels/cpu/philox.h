// Philox4x32-10 (Salmon et al., 2011) for zoneout, in the layout that philox.py describes. Included by isa.h.

constexpr int64_t kDraws = 16;  // counters at a time, of four units each: loops that the compiler turns into vectors

// Say which units keep their old value: keeps[unit] is 1 or 0, for `units` units of one row at one step. `keeps` has
// room for a multiple of 4 * kDraws.
template <class T>
void draw_zoneout(int64_t seed, uint32_t stream, int64_t step, int64_t row, int64_t units, double probability, T* keeps) {
  const uint64_t bits = static_cast<uint64_t>(seed);
  const uint32_t threshold = static_cast<uint32_t>(std::ceil(probability * 16777216.0));
  for (int64_t first = 0; 4 * first < units; first += kDraws) {
    uint32_t a[kDraws], b[kDraws], c[kDraws], d[kDraws];
    for (int64_t lane = 0; lane < kDraws; ++lane) {
      a[lane] = static_cast<uint32_t>(first + lane);
      b[lane] = static_cast<uint32_t>(row);
      c[lane] = static_cast<uint32_t>(step);
      d[lane] = stream;
    }
    uint32_t low_key = static_cast<uint32_t>(bits), high_key = static_cast<uint32_t>(bits >> 32);
    for (int round = 0; round < 10; ++round, low_key += 0x9E3779B9u, high_key += 0xBB67AE85u) {
      for (int64_t lane = 0; lane < kDraws; ++lane) {
        const uint64_t left = uint64_t{0xD2511F53u} * a[lane], right = uint64_t{0xCD9E8D57u} * c[lane];
        a[lane] = static_cast<uint32_t>(right >> 32) ^ b[lane] ^ low_key;
        b[lane] = static_cast<uint32_t>(right);
        c[lane] = static_cast<uint32_t>(left >> 32) ^ d[lane] ^ high_key;
        d[lane] = static_cast<uint32_t>(left);
      }
    }
    T* to = keeps + 4 * first;
    for (int64_t lane = 0; lane < kDraws; ++lane) {
      to[4 * lane] = (a[lane] >> 8) < threshold ? T(1) : T(0);
      to[4 * lane + 1] = (b[lane] >> 8) < threshold ? T(1) : T(0);
      to[4 * lane + 2] = (c[lane] >> 8) < threshold ? T(1) : T(0);
      to[4 * lane + 3] = (d[lane] >> 8) < threshold ? T(1) : T(0);
    }
  }
}

// Zoneout of one state: what a row keeps at a step, drawn or expected.
template <class T>
struct Zone {
  double probability;  // 0: no zoneout
  const int64_t* seed;
  uint32_t stream;
  T* keeps;  // scratch

  static int64_t room(int64_t units) { return (units + 4 * kDraws - 1) / (4 * kDraws) * (4 * kDraws); }

  void draw(int64_t step, int64_t row, int64_t units) const {
    if (probability > 0 && seed) draw_zoneout(*seed, stream, step, row, units, probability, keeps);
  }
  TIDEGATE_INLINE Vector<T> apply(Vector<T> old, Vector<T> now, int64_t unit) const {
    if (probability == 0) return now;
    if (!seed) return splat(T(probability)) * old + splat(T(1 - probability)) * now;
    return load(keeps + unit) > Vector<T>{} ? old : now;
  }
  // Split the gradient of a state: what the old value gets is returned, `gradient` becomes that of the new one.
  TIDEGATE_INLINE Vector<T> share(Vector<T>& gradient, int64_t unit) const {
    if (probability == 0) return Vector<T>{};
    const Vector<T> kept = seed ? load(keeps + unit) : splat(T(probability));
    const Vector<T> old = gradient * kept;
    gradient = gradient * (splat(T(1)) - kept);
    return old;
  }
};
