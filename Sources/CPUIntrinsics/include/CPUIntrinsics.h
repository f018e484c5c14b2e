#ifndef NEEDLETAIL_CPU_INTRINSICS_H
#define NEEDLETAIL_CPU_INTRINSICS_H

// Instructions that Swift cannot spell, and that the compiler's own intrinsics do not offer to it as functions.

/// Asks for the cache line at `address`, which will be read; never faults.
static inline void prefetchForReading(const void *address) { __builtin_prefetch(address, 0, 3); }

#include "MatrixTiles.h"

#if defined(__F16C__)
#include <immintrin.h>

/// Binary16 numbers nearest to binary32, ties to even.
static inline __m128i narrowedToHalf8(__m256 x) {
  return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#endif

#if defined(__AVX512F__)
static inline __m256i narrowedToHalf16(__m512 x) {
  return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#endif

#endif
