// The kernels compiled for what every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
#include "kernels.h"

#define TIDEGATE_ISA baseline
#define TIDEGATE_VECTOR_BYTES 16
#define TIDEGATE_TILE_VECTORS 2
#include "isa.h"
