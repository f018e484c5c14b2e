#include "/work/gpu/main/Tests/CUDASourceTests/Emulator/emulator.hpp"
DEVICE float gaussian_unit(float x) { return 0.5f * x * (1.0f + erff(x * 0.707106781f)); }
struct half_t { uint16_t bits; };
struct bfloat_t { uint16_t bits; };
struct bool_t { uint8_t bits; };
/* An element in the type that arithmetic is done in. */
DEVICE float load(half_t x) { return half_to_float(x.bits); }
DEVICE float load(bfloat_t x) { return bfloat_to_float(x.bits); }
DEVICE bool load(bool_t x) { return x.bits != 0; }
template <class T> DEVICE T load(T x) { return x; }
/* The result of arithmetic as an element: store<half_t>(x). */
template <class T> struct Store { template <class S> static DEVICE T of(S x) { return (T)x; } };
template <> struct Store<half_t> { static DEVICE half_t of(float x) { half_t r; r.bits = float_to_half(x); return r; } };
template <> struct Store<bfloat_t> { static DEVICE bfloat_t of(float x) { bfloat_t r; r.bits = float_to_bfloat(x); return r; } };
template <> struct Store<bool_t> { static DEVICE bool_t of(bool x) { bool_t r; r.bits = x ? 1 : 0; return r; } };
template <class T, class S> DEVICE T store(S x) { return Store<T>::of(x); }
/* The first `count` elements of a vector that may not be whole. */
template <int N, class T> DEVICE Vector<T, N> load_partial(const T* p, int count) {
  Vector<T, N> v;
  for (int j = 0; j < N; j++) if (j < count) v.at[j] = p[j];
  return v;
}
template <int N, class T> DEVICE void store_partial(T* p, Vector<T, N> v, int count) {
  for (int j = 0; j < N; j++) if (j < count) p[j] = v.at[j];
}

template <class T> DEVICE T modulo_floor(T x, T y) { T r = fmod(x, y); return r != 0 && (r < 0) != (y < 0) ? r + y : r; }
template <class T> DEVICE T integer_divide(T x, T y) { return y == 0 ? 0 : (T)-1 < (T)0 && y == (T)-1 ? (T)(0 - (uint64_t)x) : (T)(x / y); }
template <class T> DEVICE T integer_modulo(T x, T y) { return y == 0 ? (T)0 : (T)((uint64_t)x - (uint64_t)integer_divide(x, y) * (uint64_t)y); }
template <class T> DEVICE T integer_floor_divide(T x, T y) {
  T q = integer_divide(x, y);
  return y != 0 && (T)((uint64_t)q * (uint64_t)y) != x && (x < 0) != (y < 0) ? (T)(q - 1) : q;
}
template <class T> DEVICE T integer_modulo_floor(T x, T y) {
  T r = integer_modulo(x, y);
  return r != 0 && (r < 0) != (y < 0) ? (T)(r + y) : r;
}
template <class T> DEVICE T integer_power(T base, T exponent) {
  if (exponent < 0) return base == 1 ? 1 : base + 1 == 0 ? (exponent % 2 == 0 ? 1 : base) : 0;
  uint64_t result = 1, square = (uint64_t)base;
  for (T rest = exponent; rest > 0; rest /= 2) {
    if (rest % 2 == 1) result *= square;
    square *= square;
  }
  return (T)result;
}
/* Shifts by any count: negative ones go the other way, large ones leave nothing but the sign. */
template <class T> DEVICE T shift_up(T x, uint64_t y) { return y < 64 ? (T)((uint64_t)x << y) : (T)0; }
template <class T> DEVICE T shift_down(T x, uint64_t y) {
  return y < 8 * sizeof(T) ? (T)(x >> y) : x < 0 ? (T)-1 : (T)0;
}
template <class T> DEVICE T integer_shift_left(T x, T y) {
  return y < 0 ? shift_down(x, 0 - (uint64_t)y) : shift_up(x, (uint64_t)y);
}
template <class T> DEVICE T integer_shift_right(T x, T y) {
  return y < 0 ? shift_up(x, 0 - (uint64_t)y) : shift_down(x, (uint64_t)y);
}
/* Where a position beside an axis reads: over and over, or mirrored at the edges. */
DEVICE int wrapped_index(int p, int extent) { int r = p % extent; return r < 0 ? r + extent : r; }
DEVICE int reflected_index(int p, int extent) {
  if (extent == 1) return 0;
  int r = wrapped_index(p, 2 * extent - 2);
  return r < extent ? r : 2 * extent - 2 - r;
}
/* Negative indices count from the end; others out of range are moved to the edge, or give -1. */
DEVICE int clamped_index(int64_t i, int extent) {
  if (i < 0) i += extent;
  return i < 0 ? 0 : i >= extent ? extent - 1 : (int)i;
}
DEVICE int checked_index(int64_t i, int extent) {
  if (i < 0) i += extent;
  return i < 0 || i >= extent ? -1 : (int)i;
}
/* Rounded towards zero and clamped; NaN gives 0. */
template <class S> DEVICE int64_t real_to_integer(S x, int64_t low, int64_t high) {
  return x != x ? 0 : x >= (S)high ? high : x <= (S)low ? low : (int64_t)x;
}
template <class S> DEVICE int32_t real_to_int32(S x) {
  return x >= (S)2147483647.0 ? 2147483647 : x <= (S)-2147483648.0 ? -2147483647 - 1 : x == x ? (int32_t)x : 0;
}
template <class S> DEVICE int32_t real_to_small(S x, S low, S high) {
  S y = x == x ? x : 0;
  y = y < low ? low : y;
  return (int32_t)(y > high ? high : y);
}
/* nearest(x) + zero, between low and high; NaN gives 0. */
DEVICE int32_t quantized(float x, int32_t zero, int32_t low, int32_t high) {
  const int32_t y = max(min(nearest_integer(x), high - zero), low - zero) + zero;
  return zero == 0 || x == x ? y : 0;
}
/* x / y, rounded as a division is where it is not subnormal, with r = 1 / y rounded; y and r are far from the ends of the range. */
DEVICE float exact_quotient(float x, float y, float r) {
  const float q = x * r;
  const float p = fmaf(fmaf(-q, y, x), r, q);
  return fabsf(q) < INFINITY_F ? fmaf(fmaf(-p, y, x), r, p) : q;
}
template <class S> DEVICE uint64_t real_to_unsigned(S x) {
  return x != x || x <= 0 ? 0 : x >= (S)18446744073709551615.0 ? ~0ull : (uint64_t)x;
}

/* An element's bits, in the lower end of an integer, and back. */
template <class T> union Bits { uint64_t bits; T value; };
template <class T> DEVICE uint64_t to_bits(T x) { Bits<T> b; b.bits = 0; b.value = x; return b.bits; }
template <class T> DEVICE T from_bits(uint64_t x) { Bits<T> b; b.bits = x; return b.value; }
/* *p = change(*p) as one step, for elements of any size. */
template <class T, class F> DEVICE void atomic_apply(T* p, F change) {
  if constexpr (sizeof(T) == 8) {
    uint64_t* place = (uint64_t*)p;
    uint64_t seen = *place, expected;
    do {
      expected = seen;
      seen = atomic_compare_exchange(place, expected, to_bits(change(from_bits<T>(expected))));
    } while (seen != expected);
  } else {
    uint32_t* place = (uint32_t*)((uint64_t)p & ~3ull);
    const int shift = (int)((uint64_t)p & 3) * 8;
    const uint32_t mask = (sizeof(T) == 4 ? ~0u : (1u << 8 * (sizeof(T) & 3)) - 1) << shift;
    uint32_t seen = *place, expected;
    do {
      expected = seen;
      const T old = from_bits<T>((expected & mask) >> shift);
      const uint32_t changed = (uint32_t)to_bits(change(old)) << shift;
      seen = atomic_compare_exchange(place, expected, (expected & ~mask) | changed);
    } while (seen != expected);
  }
}

/* Bytes from global to shared memory without waiting; where not wanted, a pattern at once. */
template <int bytes> DEVICE void copy_async_or_fill(void* shared, const void* global, bool wanted, uint32_t pattern) {
  if (wanted) {
    copy_async<bytes>(shared, global, true);
  } else {
    Vector<uint32_t, bytes / 4> fill;
    for (int j = 0; j < bytes / 4; j++) fill.at[j] = pattern;
    store_vector((uint32_t*)shared, fill);
  }
}

/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 32;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 32, a_line = thread / 32;
  int a_base[8], a_k = k0 + a_piece * 1; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 8; i++) {
    const int line = m0 + a_line + i * 4;
    const int u0 = line;
    a_base[i] = u0 * 25;
    if (line < 64) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 28;
    if (line < 10) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      copy_async<4>(target + tile_place<128>(a_line + i * 4, a_piece / 4) + a_piece % 4 * 4, a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 25);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 28);
    }
    b_k += 32;
  };
  Vector<float, 2> x0_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 16, piece = index % 16 * 2;
    const int row = m0 + line, column = n0 + piece;
    if (row < 64 && column < 10) {
      const int u0 = row;
      ((Vector<float, 2>*)x0_at[slot].at)[0] = load_vector<2>(x0 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 16;
  const int warp_n = warp / 2 * 16;
  float sums[1][2][4];
  #pragma unroll
  for (int i = 0; i < 8; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][1][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fa[buffer][i][j] = float_to_tf32(__int_as_float((int)fa[buffer][i][j]));
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_tf32(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 5; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 5;
  copy_async_wait<4>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 5 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 6 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<4>();
    block_barrier();
    from = from + 1 == 6 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 1; i++) {
    #pragma unroll
    for (int j = 0; j < 2; j++) {
      float* place = staged + (warp_m + i * 16 + (lane >> 2)) * 40 + warp_n + j * 8 + (lane & 3) * 2;
      Vector<float, 2> upper, lower;
      upper.at[0] = sums[i][j][0]; upper.at[1] = sums[i][j][1];
      lower.at[0] = sums[i][j][2]; lower.at[1] = sums[i][j][3];
      store_vector(place, upper); store_vector(place + 320, lower);
    }
  }
  block_barrier();
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 16, piece = index % 16 * 2;
    const int row = m0 + line, column = n0 + piece;
    if (row < 64 && column < 10) {
      const int u0 = row;
      Vector<float, 2> result;
      #pragma unroll
      for (int j = 0; j < 2; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[j]);
        result.at[j] = store<float>(e0);
      }
      store_vector(out + u0 * 10 + column, result);
    }
  }
}

