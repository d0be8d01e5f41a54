// The kernels on int8 weights compiled for AVX-512 F, BW, DQ, VL and VNNI; the others are those of kernels_avx512.cpp.
#include "kernels.h"

#ifdef TIDEGATE_WIDER_SETS
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
#endif

#define TIDEGATE_ISA avx512_vnni
#define TIDEGATE_VNNI
#define TIDEGATE_VECTOR_BYTES 64
#define TIDEGATE_TILE_VECTORS 4
#include "isa.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
