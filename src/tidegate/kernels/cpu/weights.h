// A matrix of weights as the walks keep it between packing and products. Included by isa.h.

// In T itself. int8_products.h has the other kind, with the same members.
template <class T>
struct PlainMatrix {
  static constexpr bool kInt8 = false;
  struct Steps {  // what int8 needs besides
    Steps(const Call<T>&, const Rows<T>&, const InputRows<T>&, int64_t, Arena&) {}
  };
  int64_t columns, depth;
  T* panels;

  PlainMatrix(int64_t columns, int64_t depth, Arena& arena)
      : columns(columns), depth(depth), panels(arena.take<T>(packed_size<T>(columns, depth))) {}

  // Pack w[column][k], contiguous.
  void pack(const T* w) const { pack_transposed(w, depth, columns, depth, panels); }

  Operand<T> operand(const T* const* rows) const { return {rows, panels, depth, depth}; }
};
