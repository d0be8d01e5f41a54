// The kernels compiled for AVX2 and FMA.
#include "kernels.h"

#ifdef TIDEGATE_WIDER_SETS
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define TIDEGATE_ISA avx2
#define TIDEGATE_VECTOR_BYTES 32
#define TIDEGATE_TILE_VECTORS 2
#include "isa.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
