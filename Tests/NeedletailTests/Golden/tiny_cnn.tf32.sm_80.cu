// '/stem/conv/Conv': mma 32x32x32 w4 s6
//   once, kernel 0: 1 x 1 x 1 blocks of 256 threads
//   kernel 1: 256 x 1 x 1 blocks of 256 threads
//   kernel 2: 512 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/MaxPool': channels last 2x1
//   kernel 3: 256 x 1 x 1 blocks of 128 threads
// '/residual/first/conv/Conv': mma 64x32x32 w4 s5
//   once, kernel 4: 4 x 1 x 1 blocks of 256 threads
//   kernel 5: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/residual/second/Conv': mma 64x32x32 w4 s5
//   once, kernel 6: 6 x 1 x 1 blocks of 256 threads
//   kernel 7: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/residual/shortcut/Conv': mma 64x32x32 w4 s5
//   once, kernel 8: 1 x 1 x 1 blocks of 256 threads
//   kernel 9: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/inverted/0/0/Conv': mma 64x32x32 w4 s5
//   once, kernel 10: 2 x 1 x 1 blocks of 256 threads
//   kernel 11: 192 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/inverted/1/0/Conv': depthwise channels last 2x2x2
//   once, kernel 12: 3 x 1 x 1 blocks of 256 threads
//   kernel 13: 384 x 1 x 1 blocks of 96 threads
// '/inverted/2/Conv': mma 64x32x32 w4 s5
//   once, kernel 14: 2 x 1 x 1 blocks of 256 threads
//   kernel 15: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/parallel/MaxPool': channels last 2x1
//   kernel 16: 512 x 1 x 1 blocks of 96 threads
// '/parallel/point/Conv': mma 64x32x32 w4 s5
//   once, kernel 17: 1 x 1 x 1 blocks of 256 threads
//   kernel 18: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/parallel/wide/Conv': mma 64x32x32 w4 s5
//   once, kernel 19: 3 x 1 x 1 blocks of 256 threads
//   kernel 20: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/parallel/pooled/conv/Conv': mma 64x32x32 w4 s5
//   once, kernel 21: 1 x 1 x 1 blocks of 256 threads
//   kernel 22: 64 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/GlobalAveragePool': column reduction 8x32 x1
//   kernel 23: 200 x 1 x 1 blocks of 256 threads
// '/fc/Gemm': mma 16x32x64 w2 s5
//   once, kernel 24: 1 x 1 x 1 blocks of 256 threads
//   kernel 25: 4 x 1 x 1 blocks of 64 threads, 61440 bytes of shared memory

// kernel 0
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 144) return;
  const int line = number % 16, piece = number / 16;
  const int o0 = line;
  const int base = o0 * 27;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i2 = deep % 4;
    const int ir2 = deep / 4;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && i2 < 3;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 36 + piece * 4, result);
}

// kernel 1
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 65536) return;
  const int line = number % 65536, piece = number / 65536;
  const int o2 = line % 32;
  const int or2 = line / 32;
  const int o1 = or2 % 32;
  const int or1 = or2 / 32;
  const int o0 = or1;
  const int base = o0 * 3072 + o1 * 32 + o2;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && i0 < 3;
    return wanted ? x[base + i0 * 1024] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 4 + piece * 4, result);
}

// kernel 2
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
  const int steps = 2, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[2], a_tap, a_c;
  uint32_t a_rows = 0, a_valid = 0;
  int a_t0;
  int a_x0[2];
  int a_t1;
  int a_x1[2];
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = m0 + a_line + i * 16;
    const int u2 = line % 16;
    const int ur2 = line / 16;
    const int u1 = ur2 % 16;
    const int ur1 = ur2 / 16;
    const int u0 = ur1;
    a_base[i] = u0 * 4096 + u1 * 256 + u2 * 8 + -132;
    a_x0[i] = u1 * 2 - 1;
    a_x1[i] = u2 * 2 - 1;
    if (line < 16384) a_rows |= 1u << i;
  }
   {
    const int k = k0 + a_piece * 4, tap = k / 4;
    a_c = k % 4;
    a_t1 = tap % 3;
    a_t0 = (tap / 3);
  }
  auto a_turn = [&]() {
    a_tap = a_t0 * 128 + a_t1 * 4;
    a_valid = 0;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      if ((uint32_t)(a_x0[i] + a_t0 * 1) < 32u && (uint32_t)(a_x1[i] + a_t1 * 1) < 32u) a_valid |= 1u << i;
    }
    a_valid = a_t0 < 3 ? a_valid & a_rows : 0;
  };
  a_turn();
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 36;
    if (line < 16) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_tap + a_c), (a_valid >> i & 1) != 0);
    }
    a_c += 0;
    a_t1 += 2;
    if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    a_t0 += 2;
    a_turn();
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 36);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[2];
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 16384 && column < 16) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
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
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divided_parts(x[0], x[2], high[0], low[0]);
      divided_parts(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int slot = 0; slot < 2; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 16384 && column < 16) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[j]);
        const float e1 = larger(e0, (0.0f));
        result.at[j] = store<float>(e1);
      }
      store_vector(out + u0 * 16 + column, result);
    }
  }
}

// kernel 3
KERNEL(128) channels_last_window(const float* __restrict__ x, float* y) {
  kernel_begins();
  int rest_block_channel = blockIdx.x;
  const int block_channel = 0;
  const int block_column = rest_block_channel % 2; rest_block_channel /= 2;
  const int block_row = rest_block_channel % 2; rest_block_channel /= 2;
  const int n = rest_block_channel;
  int rest_channel = threadIdx.x;
  const int channel = rest_channel % 8; rest_channel /= 8;
  const int column = rest_channel % 4; rest_channel /= 4;
  const int row = rest_channel;
  const int m = (block_channel * 8 + channel) * 2;
  const int tile_row = block_row * 4 + row;
  const int tile_column = block_column * 4 + column;
  const int top = tile_row * 1;
  const int left = tile_column * 1;
  if (m >= 16 || top >= 8 || left >= 8) return;
  float result[1][2];
  #pragma unroll
  for (int j = 0; j < 1; j++)
  #pragma unroll
    for (int v = 0; v < 2; v++) result[j][v] = (-INFINITY_F);
  Vector<float, 2> nothing = {};
  #pragma unroll
  for (int v = 0; v < 2; v++) nothing.at[v] = store<float>((-INFINITY_F));
  const int start = left * 2 - 1;
  #pragma unroll
  for (int r = 0; r < 3; r++) {
    const int i = top * 2 - 1 + r * 1;
    const float* line = x + n * 4096 + m + i * 256 + 0 * 16;
    #pragma unroll
    for (int t = 0; t < 3; t++) {
      Vector<float, 2> element = nothing;
      if ((unsigned)i < 16u && (unsigned)(start + t) < 16u)
        element = load_vector<2>(line + (start + t) * 16);
      float value[2];
      #pragma unroll
      for (int v = 0; v < 2; v++) value[v] = load(element.at[v]);
      #pragma unroll
      for (int j = 0; j < 1; j++) {
        const int s = t - j * 2;
        if (s < 0 || s > 2 || s % 1 != 0) continue;
        #pragma unroll
        for (int v = 0; v < 2; v++)
          result[j][v] = larger(result[j][v], value[v]);
      }
    }
  }
  #pragma unroll
  for (int j = 0; j < 1; j++) {
    {
      Vector<float, 2> r;
      #pragma unroll
      for (int v = 0; v < 2; v++) {
        r.at[v] = store<float>(result[j][v]);
      }
      store_vector(y + n * 1024 + m + top * 128 + (left + j) * 16, r);
    }
  }
}

// kernel 4
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 864) return;
  const int line = number % 24, piece = number / 24;
  const int o0 = line;
  const int base = o0 * 144;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i2 = deep % 16;
    const int ir2 = deep / 16;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 144 + piece * 4, result);
}

// kernel 5
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 5, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_tap, a_c;
  uint32_t a_rows = 0, a_valid = 0;
  int a_t0;
  int a_x0[4];
  int a_t1;
  int a_x1[4];
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u2 = line % 8;
    const int ur2 = line / 8;
    const int u1 = ur2 % 8;
    const int ur1 = ur2 / 8;
    const int u0 = ur1;
    a_base[i] = u0 * 1024 + u1 * 128 + u2 * 16 + -144;
    a_x0[i] = u1 * 1 - 1;
    a_x1[i] = u2 * 1 - 1;
    if (line < 4096) a_rows |= 1u << i;
  }
   {
    const int k = k0 + a_piece * 4, tap = k / 16;
    a_c = k % 16;
    a_t1 = tap % 3;
    a_t0 = (tap / 3);
  }
  auto a_turn = [&]() {
    a_tap = a_t0 * 128 + a_t1 * 16;
    a_valid = 0;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      if ((uint32_t)(a_x0[i] + a_t0 * 1) < 8u && (uint32_t)(a_x1[i] + a_t1 * 1) < 8u) a_valid |= 1u << i;
    }
    a_valid = a_t0 < 3 ? a_valid & a_rows : 0;
  };
  a_turn();
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 144;
    if (line < 24) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_tap + a_c), (a_valid >> i & 1) != 0);
    }
    a_c += 0;
    a_t1 += 2;
    if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    a_turn();
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 144);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[j]);
        const float e1 = larger(e0, (0.0f));
        result.at[j] = store<float>(e1);
      }
      store_vector(out + u0 * 24 + column, result);
    }
  }
}

// kernel 6
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 1296) return;
  const int line = number % 24, piece = number / 24;
  const int o0 = line;
  const int base = o0 * 216;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i2 = deep % 24;
    const int ir2 = deep / 24;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 216 + piece * 4, result);
}

// kernel 7
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 7, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_tap, a_c;
  uint32_t a_rows = 0, a_valid = 0;
  int a_t0;
  int a_x0[4];
  int a_t1;
  int a_x1[4];
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u2 = line % 8;
    const int ur2 = line / 8;
    const int u1 = ur2 % 8;
    const int ur1 = ur2 / 8;
    const int u0 = ur1;
    a_base[i] = u0 * 1536 + u1 * 192 + u2 * 24 + -216;
    a_x0[i] = u1 * 1 - 1;
    a_x1[i] = u2 * 1 - 1;
    if (line < 4096) a_rows |= 1u << i;
  }
   {
    const int k = k0 + a_piece * 4, tap = k / 24;
    a_c = k % 24;
    a_t1 = tap % 3;
    a_t0 = (tap / 3);
  }
  auto a_turn = [&]() {
    a_tap = a_t0 * 192 + a_t1 * 24;
    a_valid = 0;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      if ((uint32_t)(a_x0[i] + a_t0 * 1) < 8u && (uint32_t)(a_x1[i] + a_t1 * 1) < 8u) a_valid |= 1u << i;
    }
    a_valid = a_t0 < 3 ? a_valid & a_rows : 0;
  };
  a_turn();
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 216;
    if (line < 24) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_tap + a_c), (a_valid >> i & 1) != 0);
    }
    a_c += 8;
    a_t1 += 1;
    if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    if (a_c >= 24) {
      a_c -= 24;
      a_t1 += 1;
      if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    }
    a_turn();
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 216);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[j]);
        result.at[j] = store<float>(e0);
      }
      store_vector(out + u0 * 24 + column, result);
    }
  }
}

// kernel 8
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 96) return;
  const int line = number / 4, piece = number % 4;
  const int o0 = line;
  const int base = o0 * 16;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 16 + piece * 4, result);
}

// kernel 9
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, const float* x1, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 4; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 16;
    if (line < 4096) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 16;
    if (line < 24) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 16);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 16);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[4];
  Vector<float, 4> x1_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + u0 * 24 + column + 0);
      ((Vector<float, 4>*)x1_at[slot].at)[0] = load_vector<4>(x1 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x1_at[slot].at[j]);
        const float e1 = e0 + load(x0_at[slot].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<float>(e2);
      }
      store_vector(out + u0 * 24 + column, result);
    }
  }
}

// kernel 10
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 432) return;
  const int line = number / 6, piece = number % 6;
  const int o0 = line;
  const int base = o0 * 24;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 24 + piece * 4, result);
}

// kernel 11
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 3 * 64;
  const int n0 = number % 3 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 4; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 24;
    if (line < 4096) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 24;
    if (line < 72) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 24);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 24);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 72) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 72) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[j]);
        const float e1 = larger(e0, (0.0f));
        const float e2 = smaller(e1, (6.0f));
        result.at[j] = store<float>(e2);
      }
      store_vector(out + u0 * 72 + column, result);
    }
  }
}

// kernel 12
KERNEL(256) repack_weights(const uint32_t* __restrict__ w, uint32_t* __restrict__ packed) {
  kernel_begins();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= 648) return;
  int rest_m = i;
  const int m = rest_m % 72; rest_m /= 72;
  const int c = 0;
  const int s = rest_m % 3; rest_m /= 3;
  const int r = rest_m;
  packed[i] = w[m * 9 + r * 3 + s];
}

// kernel 13
KERNEL(96) channels_last_convolution(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ e1, float* y) {
  kernel_begins();
  int rest_block_channel = blockIdx.x;
  const int block_channel = rest_block_channel % 3; rest_block_channel /= 3;
  const int block_column = rest_block_channel % 2; rest_block_channel /= 2;
  const int block_row = 0;
  const int n = rest_block_channel;
  int rest_channel = threadIdx.x;
  const int channel = rest_channel % 12; rest_channel /= 12;
  const int column = rest_channel % 2; rest_channel /= 2;
  const int row = rest_channel;
  const int m = (block_channel * 12 + channel) * 2;
  const int tile_row = block_row * 4 + row;
  const int tile_column = block_column * 2 + column;
  const int top = tile_row * 2;
  const int left = tile_column * 2;
  if (m >= 72 || top >= 8 || left >= 8) return;
  float sum[2][2][2] = {};
  const int base = m / 1 * 1;
  const int c = 0;
  const float* source = x + n * 4608 + (base + c) + 0 * 576 + 0 * 72;
  const float* filter = w + c * 72 + m;
  const int first = left * 1 - 1;
  #pragma unroll
  for (int line = 0; line < 4; line++) {
    const int i = top * 1 - 1 + line * 1;
    float element[4][2];
    #pragma unroll
    for (int p = 0; p < 4; p++) {
      const int o = first + p;
      #pragma unroll
      for (int q = 0; q < 2; q += 2) {
        Vector<float, 2> part = {};
        if ((unsigned)i < 8u && (unsigned)o < 8u) part = load_vector<2>(source + i * 576 + o * 72 + q);
        #pragma unroll
        for (int v = 0; v < 2; v++)
          element[p][q + v] = (float)load(part.at[v]);
      }
    }
    #pragma unroll
    for (int t = 0; t < 2; t++) {
      const int away = line - t * 1;
      if (away < 0 || away > 2 || away % 1 != 0) continue;
      const int r = away / 1;
      #pragma unroll
      for (int s = 0; s < 3; s++) {
        #pragma unroll
        for (int q = 0; q < 1; q++) {
          const Vector<float, 2> weight = load_vector<2>(filter + ((r * 3 + s) * 1 + q) * 72);
          float factor[2];
          #pragma unroll
          for (int v = 0; v < 2; v++) factor[v] = (float)load(weight.at[v]);
          #pragma unroll
          for (int j = 0; j < 2; j++)
          #pragma unroll
            for (int v = 0; v < 2; v++)
              sum[t][j][v] += element[j * 1 + s * 1][v / 1 * 1 + q] * factor[v];
        }
      }
    }
    if (line >= 2 && (line - 2) % 1 == 0) {
      const int t = (line - 2) / 1;
      #pragma unroll
      for (int j = 0; j < 2; j++) {
        const int h = top + t, o = left + j * 1;
        if (h >= 8 || o >= 8) continue;
        {
          const Vector<float, 2> b1 = load_vector<2>(e1 + m);
          Vector<float, 2> r;
          #pragma unroll
          for (int v = 0; v < 2; v++) {
            const float a1 = load(b1.at[v]);
            const float e0 = sum[t][j][v] + a1;
            const float e1 = larger(e0, (0.0f));
            const float e2 = smaller(e1, (6.0f));
            r.at[v] = store<float>(e2);
          }
          store_vector(y + n * 4608 + m + h * 576 + o * 72, r);
        }
      }
    }
  }
}

// kernel 14
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 432) return;
  const int line = number / 18, piece = number % 18;
  const int o0 = line;
  const int base = o0 * 72;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 72 + piece * 4, result);
}

// kernel 15
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, const float* x1, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 3, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 4; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 72;
    if (line < 4096) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 72;
    if (line < 24) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 72);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 72);
    }
    b_k += 32;
  };
  Vector<float, 4> x0_at[4];
  Vector<float, 4> x1_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + u0 * 24 + column + 0);
      ((Vector<float, 4>*)x1_at[slot].at)[0] = load_vector<4>(x1 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 4096 && column < 24) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = staged[line * 40 + piece + j] + load(x1_at[slot].at[j]);
        const float e1 = e0 + load(x0_at[slot].at[j]);
        result.at[j] = store<float>(e1);
      }
      store_vector(out + u0 * 24 + column, result);
    }
  }
}

// kernel 16
KERNEL(96) channels_last_window(const float* __restrict__ x, float* y) {
  kernel_begins();
  int rest_block_channel = blockIdx.x;
  const int block_channel = 0;
  const int block_column = rest_block_channel % 2; rest_block_channel /= 2;
  const int block_row = rest_block_channel % 4; rest_block_channel /= 4;
  const int n = rest_block_channel;
  int rest_channel = threadIdx.x;
  const int channel = rest_channel % 12; rest_channel /= 12;
  const int column = rest_channel % 4; rest_channel /= 4;
  const int row = rest_channel;
  const int m = (block_channel * 12 + channel) * 2;
  const int tile_row = block_row * 2 + row;
  const int tile_column = block_column * 4 + column;
  const int top = tile_row * 1;
  const int left = tile_column * 1;
  if (m >= 24 || top >= 8 || left >= 8) return;
  float result[1][2];
  #pragma unroll
  for (int j = 0; j < 1; j++)
  #pragma unroll
    for (int v = 0; v < 2; v++) result[j][v] = (-INFINITY_F);
  Vector<float, 2> nothing = {};
  #pragma unroll
  for (int v = 0; v < 2; v++) nothing.at[v] = store<float>((-INFINITY_F));
  const int start = left * 1 - 1;
  #pragma unroll
  for (int r = 0; r < 3; r++) {
    const int i = top * 1 - 1 + r * 1;
    const float* line = x + n * 1536 + m + i * 192 + 0 * 24;
    #pragma unroll
    for (int t = 0; t < 3; t++) {
      Vector<float, 2> element = nothing;
      if ((unsigned)i < 8u && (unsigned)(start + t) < 8u)
        element = load_vector<2>(line + (start + t) * 24);
      float value[2];
      #pragma unroll
      for (int v = 0; v < 2; v++) value[v] = load(element.at[v]);
      #pragma unroll
      for (int j = 0; j < 1; j++) {
        const int s = t - j * 1;
        if (s < 0 || s > 2 || s % 1 != 0) continue;
        #pragma unroll
        for (int v = 0; v < 2; v++)
          result[j][v] = larger(result[j][v], value[v]);
      }
    }
  }
  #pragma unroll
  for (int j = 0; j < 1; j++) {
    {
      Vector<float, 2> r;
      #pragma unroll
      for (int v = 0; v < 2; v++) {
        r.at[v] = store<float>(result[j][v]);
      }
      store_vector(y + n * 1536 + m + top * 192 + (left + j) * 24, r);
    }
  }
}

// kernel 17
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 48) return;
  const int line = number / 6, piece = number % 6;
  const int o0 = line;
  const int base = o0 * 24;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 24 + piece * 4, result);
}

// kernel 18
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 4; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 24;
    if (line < 4096) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 24;
    if (line < 8) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 24);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 24);
    }
    b_k += 32;
  };
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
  #pragma unroll 1
  for (int i = 0; i < 16; i += 8) {
    Vector<float, 1> x0_at[8];
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 8) {
        const int u0 = row;
        x0_at[slot].at[0] = (x0 + 0 + column)[0];
      }
    }
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 8) {
        const int u0 = row;
        Vector<float, 1> result;
        #pragma unroll
        for (int j = 0; j < 1; j++) {
          const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[0]);
          const float e1 = larger(e0, (0.0f));
          result.at[j] = store<float>(e1);
        }
        store_vector(out + u0 * 25 + column, result);
      }
    }
  }
}

// kernel 19
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 648) return;
  const int line = number % 12, piece = number / 12;
  const int o0 = line;
  const int base = o0 * 216;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i2 = deep % 24;
    const int ir2 = deep / 24;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 216 + piece * 4, result);
}

// kernel 20
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 7, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_tap, a_c;
  uint32_t a_rows = 0, a_valid = 0;
  int a_t0;
  int a_x0[4];
  int a_t1;
  int a_x1[4];
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u2 = line % 8;
    const int ur2 = line / 8;
    const int u1 = ur2 % 8;
    const int ur1 = ur2 / 8;
    const int u0 = ur1;
    a_base[i] = u0 * 1536 + u1 * 192 + u2 * 24 + -216;
    a_x0[i] = u1 * 1 - 1;
    a_x1[i] = u2 * 1 - 1;
    if (line < 4096) a_rows |= 1u << i;
  }
   {
    const int k = k0 + a_piece * 4, tap = k / 24;
    a_c = k % 24;
    a_t1 = tap % 3;
    a_t0 = (tap / 3);
  }
  auto a_turn = [&]() {
    a_tap = a_t0 * 192 + a_t1 * 24;
    a_valid = 0;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      if ((uint32_t)(a_x0[i] + a_t0 * 1) < 8u && (uint32_t)(a_x1[i] + a_t1 * 1) < 8u) a_valid |= 1u << i;
    }
    a_valid = a_t0 < 3 ? a_valid & a_rows : 0;
  };
  a_turn();
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 216;
    if (line < 12) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_tap + a_c), (a_valid >> i & 1) != 0);
    }
    a_c += 8;
    a_t1 += 1;
    if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    if (a_c >= 24) {
      a_c -= 24;
      a_t1 += 1;
      if (a_t1 >= 3) { a_t1 -= 3; a_t0++; }
    }
    a_turn();
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 216);
    }
    b_k += 32;
  };
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
  #pragma unroll 1
  for (int i = 0; i < 16; i += 8) {
    Vector<float, 1> x0_at[8];
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 12) {
        const int u0 = row;
        x0_at[slot].at[0] = (x0 + 0 + column)[0];
      }
    }
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 12) {
        const int u0 = row;
        Vector<float, 1> result;
        #pragma unroll
        for (int j = 0; j < 1; j++) {
          const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[0]);
          const float e1 = larger(e0, (0.0f));
          result.at[j] = store<float>(e1);
        }
        store_vector(out + u0 * 25 + column, result);
      }
    }
  }
}

// kernel 21
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 30) return;
  const int line = number / 6, piece = number % 6;
  const int o0 = line;
  const int base = o0 * 24;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 24 + piece * 4, result);
}

// kernel 22
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 64;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 4; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 24;
    if (line < 4096) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 24;
    if (line < 5) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 24);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 24);
    }
    b_k += 32;
  };
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 16;
  float sums[2][2][4];
  #pragma unroll
  for (int i = 0; i < 16; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
    read(0, from, 0);
    multiply(1);
  }
  copy_async_wait<0>();
  block_barrier();
  float* const staged = (float*)dynamic_shared;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
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
  #pragma unroll 1
  for (int i = 0; i < 16; i += 8) {
    Vector<float, 1> x0_at[8];
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 5) {
        const int u0 = row;
        x0_at[slot].at[0] = (x0 + 0 + column)[0];
      }
    }
    #pragma unroll
    for (int slot = 0; slot < 8; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 32, piece = index % 32 * 1;
      const int row = m0 + line, column = n0 + piece;
      if (row < 4096 && column < 5) {
        const int u0 = row;
        Vector<float, 1> result;
        #pragma unroll
        for (int j = 0; j < 1; j++) {
          const float e0 = staged[line * 40 + piece + j] + load(x0_at[slot].at[0]);
          const float e1 = larger(e0, (0.0f));
          result.at[j] = store<float>(e1);
        }
        store_vector(out + u0 * 25 + column, result);
      }
    }
  }
}

// kernel 23
typedef float State;
DEVICE State initial() { return 0; }
DEVICE void merge(State& s, State o) { s += o; }
DEVICE void add(State& s, float x, int) { merge(s, x); }
DEVICE State exchanged(State s, int mask) { return shuffle_xor(s, mask); }
DEVICE float element(float x) {
  return x;
}
KERNEL(256) reduce_columns(const float* __restrict__ x, float* y) {
  kernel_begins();
  const int column = threadIdx.x % 8, lane = threadIdx.x / 8;
  const int unit = blockIdx.x * 8 + column;
  const int k1 = unit % 25;
  const unsigned kr1 = unit / 25;
  const int k0 = kr1;
  State states_here[1];
  #pragma unroll
  for (int j = 0; j < 1; j++) states_here[j] = initial();
  const float* from = x + (k0 * 1600 + k1);
  #pragma unroll 8
  for (int i = lane; i < 64; i += 32) {
    const int g0 = i;
    const float v = from[g0 * 25];
    add(states_here[0], element(load(v)), 0);
  }
  SHARED State shared[32][8];
  #pragma unroll
  for (int j = 0; j < 1; j++) shared[lane][column * 1 + j] = states_here[j];
  block_barrier();
  for (int c = threadIdx.x; c < min(8, 1600 - (int)blockIdx.x * 8); c += 256) {
    State s = shared[0][c];
    #pragma unroll
    for (int i = 1; i < 32; i++) merge(s, shared[i][c]);
    const int result = blockIdx.x * 8 + c;
    const int q1 = result % 25;
    const unsigned qr1 = result / 25;
    const int q0 = qr1;
    const float value = s / (64.0f);
    y[q0 * 25 + q1] = store<float>(value);
  }
}

// kernel 24
KERNEL(256) pack(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 70) return;
  const int line = number / 7, piece = number % 7;
  const int o0 = line;
  const int base = o0 * 25;
  const bool inside = true;
  auto element = [&](int deep) -> float {
    const int i0 = deep;
    const bool wanted = inside && true && deep < 25;
    return wanted ? x[base + i0] : store<float>(0.0f);
  };
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) result.at[j] = divided_float(element(piece * 4 + j));
  store_vector(y + line * 28 + piece * 4, result);
}

// kernel 25
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(64) contraction(const float* __restrict__ a, const float* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 16;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 64, a_line = thread / 64;
  int a_base[16], a_k = k0 + a_piece * 1; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 16; i++) {
    const int line = m0 + a_line + i * 1;
    const int u0 = line;
    a_base[i] = u0 * 25;
    if (line < 64) a_valid |= 1u << i;
  }
  const int b_piece = thread % 16, b_line = thread / 16;
  int b_base[8], b_k = k0 + b_piece * 4; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 8; i++) {
    const int line = n0 + b_line + i * 4;
    const int u0 = line;
    b_base[i] = u0 * 28;
    if (line < 10) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 16; i++) {
      copy_async<4>(target + tile_place<256>(a_line + i * 1, a_piece / 4) + a_piece % 4 * 4, a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 25);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      copy_async<16>(target + 4096 + tile_place<256>(b_line + i * 4, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 28);
    }
    b_k += 64;
  };
  Vector<float, 2> x0_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 64;
    const int line = index / 16, piece = index % 16 * 2;
    const int row = m0 + line, column = n0 + piece;
    if (row < 64 && column < 10) {
      const int u0 = row;
      ((Vector<float, 2>*)x0_at[slot].at)[0] = load_vector<2>(x0 + 0 + column + 0);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 1 * 16;
  const int warp_n = warp / 1 * 16;
  float sums[1][2][4];
  #pragma unroll
  for (int i = 0; i < 8; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][1][4], fb[2][2][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<256>(first + (lane & 15), slice * 2 + (lane >> 4)));
      uint32_t (&x)[4] = fa[buffer][i];
      uint32_t high[2], low[2];
      divide_floats(x[0], x[2], high[0], low[0]);
      divide_floats(x[1], x[3], high[1], low[1]);
      x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<256>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 2; j++) divided_parts(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_divided(sums[i][j], fa[buffer][i], fb[buffer][j]);
    }
  };
  #pragma unroll 1
  for (int stage = 0; stage < 4; stage++) {
    if (stage < steps) copy_tiles(stage);
    copy_async_commit();
  }
  int from = 0, to = 4;
  copy_async_wait<3>();
  block_barrier();
  read(0, 0, 0);
  #pragma unroll 1
  for (int step = 0; step < steps; step++) {
    read(1, from, 1);
    if (step + 4 < steps) copy_tiles(to);
    copy_async_commit();
    to = to + 1 == 5 ? 0 : to + 1;
    multiply(0);
    read(0, from, 2);
    multiply(1);
    read(1, from, 3);
    multiply(0);
    read(0, from, 4);
    multiply(1);
    read(1, from, 5);
    multiply(0);
    read(0, from, 6);
    multiply(1);
    read(1, from, 7);
    multiply(0);
    copy_async_wait<3>();
    block_barrier();
    from = from + 1 == 5 ? 0 : from + 1;
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
    const int index = thread + slot * 64;
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

