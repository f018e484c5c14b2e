#ifndef NEEDLETAIL_MATRIX_TILES_H
#define NEEDLETAIL_MATRIX_TILES_H

// The tile registers of AMX: four of sums (two blocks of rows times two blocks of columns), two of x and two of weights.

#if defined(__x86_64__) && defined(__AVX512VNNI__)
#include <immintrin.h>
#include <stdint.h>

#define NEEDLETAIL_AMX __attribute__((target("amx-tile,amx-int8,amx-bf16")))

/// What the registers hold, as LDTILECFG reads it.
typedef struct {
  uint8_t palette, startRow, reserved[14];
  uint16_t rowBytes[16];
  uint8_t rows[16];
} matrixTileShapes;

/// Sets the registers' shapes.
///
/// - upper, lower: the rows of the two blocks, 1 to 16.
NEEDLETAIL_AMX static inline void matrixTilesConfigure(int upper, int lower) {
  matrixTileShapes shapes = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) shapes.rowBytes[tile] = 64;
  shapes.rows[0] = shapes.rows[1] = shapes.rows[4] = (uint8_t)upper;
  shapes.rows[2] = shapes.rows[3] = shapes.rows[5] = (uint8_t)lower;
  shapes.rows[6] = shapes.rows[7] = 16;
  _tile_loadconfig(&shapes);
}

/// Gives the registers back.
NEEDLETAIL_AMX static inline void matrixTilesRelease(void) { _tile_release(); }

/// Sets the sums of each column, integers or floats, to what they start from.
NEEDLETAIL_AMX static inline void matrixTilesBegin(const int32_t *start) {
  _tile_loadd(0, start, 0);
  _tile_loadd(1, start + 16, 0);
  _tile_loadd(2, start, 0);
  _tile_loadd(3, start + 16, 0);
}

/// Adds the products of 64 bytes of each row of x, unsigned, and of 16 quads of weights of 32 columns.
NEEDLETAIL_AMX static inline void matrixTilesAdd(
    const uint8_t *x, long xStride, const int8_t *weights, long weightsStride, int hasLower) {
  _tile_loadd(6, weights, weightsStride);
  _tile_loadd(7, weights + 64, weightsStride);
  _tile_loadd(4, x, xStride);
  _tile_dpbusd(0, 4, 6);
  _tile_dpbusd(1, 4, 7);
  if (!hasLower) return;
  _tile_loadd(5, x + 16 * xStride, xStride);
  _tile_dpbusd(2, 5, 6);
  _tile_dpbusd(3, 5, 7);
}

/// The same for pairs of bfloat16, summed in single precision.
NEEDLETAIL_AMX static inline void matrixTilesAddPairs(
    const uint8_t *x, long xStride, const int8_t *weights, long weightsStride, int hasLower) {
  _tile_loadd(6, weights, weightsStride);
  _tile_loadd(7, weights + 64, weightsStride);
  _tile_loadd(4, x, xStride);
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  if (!hasLower) return;
  _tile_loadd(5, x + 16 * xStride, xStride);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

/// Stores the sums, 32 columns to a row.
NEEDLETAIL_AMX static inline void matrixTilesEnd(int32_t *sums, int upper, int hasLower) {
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + 16, 128);
  if (hasLower) {
    _tile_stored(2, sums + upper * 32, 128);
    _tile_stored(3, sums + upper * 32 + 16, 128);
  }
}

#undef NEEDLETAIL_AMX
#endif

#endif
