// '/embeddings/word_embeddings/Gather': gather 8, 64 threads
//   kernel 0: 128 x 1 x 1 blocks of 64 threads
// '/embeddings/token_type_embeddings/Gather': gather 8, 64 threads
//   kernel 1: 128 x 1 x 1 blocks of 64 threads
// '/Mul': elementwise 2, 64 threads
//   kernel 2: 16 x 1 x 1 blocks of 64 threads
// '/embeddings/Add_1': elementwise 8, 64 threads
//   kernel 3: 128 x 1 x 1 blocks of 64 threads
// '/embeddings/LayerNorm/LayerNormalization': row normalization 1/32 x8
//   kernel 4: 64 x 1 x 1 blocks of 32 threads
// '/encoder.layer.0/attention.self/query/MatMul': mma 64x32x64 w4 s5
//   kernel 5: 96 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/encoder.layer.0/attention.self/MatMul_1': attention mma 16x64 1x4
//   kernel 6: 512 x 1 x 1 blocks of 128 threads, 6912 bytes of shared memory
// '/encoder.layer.0/attention.output/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 7: 64 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.0/attention.output/LayerNorm/LayerNormalization': row normalization 1/32 x8
//   kernel 4: 64 x 1 x 1 blocks of 32 threads
// '/encoder.layer.0/intermediate/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 8: 256 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.0/output/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 9: 64 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.0/output/LayerNorm/LayerNormalization': row normalization 1/32 x8
//   kernel 4: 64 x 1 x 1 blocks of 32 threads
// '/encoder.layer.1/attention.self/query/MatMul': mma 64x32x64 w4 s5
//   kernel 5: 96 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/encoder.layer.1/attention.self/MatMul_1': attention mma 16x64 1x4
//   kernel 6: 512 x 1 x 1 blocks of 128 threads, 6912 bytes of shared memory
// '/encoder.layer.1/attention.output/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 7: 64 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.1/attention.output/LayerNorm/LayerNormalization': row normalization 1/32 x8
//   kernel 4: 64 x 1 x 1 blocks of 32 threads
// '/encoder.layer.1/intermediate/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 8: 256 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.1/output/dense/MatMul': mma 32x32x64 w4 s6
//   kernel 9: 64 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// '/encoder.layer.1/output/LayerNorm/LayerNormalization': row normalization 1/32 x8
//   kernel 4: 64 x 1 x 1 blocks of 32 threads
// '/pooler/dense/Gemm': mma 32x32x64 w4 s6
//   kernel 10: 1 x 1 x 1 blocks of 128 threads, 49152 bytes of shared memory
// 'last_hidden_state:float32': elementwise 4, 64 threads
//   kernel 11: 256 x 1 x 1 blocks of 64 threads

// kernel 0
KERNEL(64) gather(const uint16_t* p0, const int64_t* p1, uint16_t* y) {
  kernel_begins();
  const unsigned first = blockIdx.x * 64u + threadIdx.x;
  Vector<uint16_t, 8> v0[1];
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      const int c1 = i % 4;
      const unsigned cr1 = i / 4;
      const int c0 = cr1;
      const int g0 = clamped_index(p1[c0], 101);
      v0[u] = load_vector<8>(p0 + c1 * 8 + g0 * 32);
    }
  }
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      Vector<uint16_t, 8> r;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const auto x0 = load(v0[u].at[j]);
        r.at[j] = store<uint16_t>(x0);
      }
      const int c1 = i % 4;
      const unsigned cr1 = i / 4;
      const int c0 = cr1;
      store_vector(y + c0 * 32 + c1 * 8, r);
    }
  }
}

// kernel 1
KERNEL(64) gather(const uint16_t* p0, const int64_t* p1, uint16_t* y) {
  kernel_begins();
  const unsigned first = blockIdx.x * 64u + threadIdx.x;
  Vector<uint16_t, 8> v0[1];
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      const int c1 = i % 4;
      const unsigned cr1 = i / 4;
      const int c0 = cr1;
      const int g0 = clamped_index(p1[c0], 2);
      v0[u] = load_vector<8>(p0 + c1 * 8 + g0 * 32);
    }
  }
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      Vector<uint16_t, 8> r;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const auto x0 = load(v0[u].at[j]);
        r.at[j] = store<uint16_t>(x0);
      }
      const int c1 = i % 4;
      const unsigned cr1 = i / 4;
      const int c0 = cr1;
      store_vector(y + c0 * 32 + c1 * 8, r);
    }
  }
}

// kernel 2
KERNEL(64) elementwise(const int64_t* p0, float* y) {
  kernel_begins();
  const unsigned first = blockIdx.x * 64u + threadIdx.x;
  Vector<int64_t, 2> v0[1];
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 1024u) {
      const int c0 = i;
      v0[u] = load_vector<2>(p0 + c0 * 2);
    }
  }
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 1024u) {
      Vector<float, 2> r;
      #pragma unroll
      for (int j = 0; j < 2; j++) {
        const auto x0 = load(v0[u].at[j]);
        const float e0 = (float)x0;
        const float e1 = (1.0f) - e0;
        const float e2 = e1 * (-3.40282347e+38f);
        r.at[j] = store<float>(e2);
      }
      const int c0 = i;
      store_vector(y + c0 * 2, r);
    }
  }
}

// kernel 3
KERNEL(64) elementwise(const half_t* p0, const half_t* p1, const half_t* p2, half_t* y) {
  kernel_begins();
  const unsigned first = blockIdx.x * 64u + threadIdx.x;
  Vector<half_t, 8> v0[1];
  Vector<half_t, 8> v1[1];
  Vector<half_t, 8> v2[1];
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      const int c1 = i % 256;
      const unsigned cr1 = i / 256;
      const int c0 = cr1;
      v0[u] = load_vector<8>(p0 + c0 * 2048 + c1 * 8);
      v1[u] = load_vector<8>(p1 + c0 * 2048 + c1 * 8);
      v2[u] = load_vector<8>(p2 + c1 * 8);
    }
  }
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 8192u) {
      Vector<half_t, 8> r;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const auto x0 = load(v0[u].at[j]);
        const auto x1 = load(v1[u].at[j]);
        const auto x2 = load(v2[u].at[j]);
        const float e0 = x0 + x1;
        const float e1 = e0 + x2;
        r.at[j] = store<half_t>(e1);
      }
      const int c1 = i % 256;
      const unsigned cr1 = i / 256;
      const int c0 = cr1;
      store_vector(y + c0 * 2048 + c1 * 8, r);
    }
  }
}

// kernel 4
template <int slot> DEVICE float group_sum(float s) {
  return s;
}
KERNEL(32) normalize(const half_t* __restrict__ x, half_t* y, const float* __restrict__ scale, const float* __restrict__ bias) {
  kernel_begins();
  const int lane = threadIdx.x % 1;
  const int row = blockIdx.x * 32 + threadIdx.x / 1;
  const int k0 = row;
  const int base0 = k0 * 32;
  const int base1 = k0 * 32;
  const int base2 = 0;
  const int base3 = 0;
  const int first = 0;
  const int end = 4;
  float v[4][8];
  #pragma unroll
  for (int k = 0; k < 4; k++) {
    const int i = first + k * 1 + lane;
    const int g0 = i;
    const Vector<half_t, 8> u = load_vector<8>(x + (base0 + g0 * 8));
    #pragma unroll
    for (int j = 0; j < 8; j++) {
      v[k][j] = load(u.at[j]);
    }
  }
  float mean = 0, squares = 0;
  #pragma unroll
  for (int k = 0; k < 4; k++) {
     {
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        float& e = v[k][j];
        mean += e;
      }
    }
  }
  mean = group_sum<0>(mean) / (32.0f);
  #pragma unroll
  for (int k = 0; k < 4; k++) {
     {
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        float& e = v[k][j];
        squares += (e - mean) * (e - mean);
      }
    }
  }
  squares = group_sum<1>(squares);
  const float factor = 1 / sqrtf(squares / (32.0f) + (9.99999996e-13f));
  #pragma unroll
  for (int k = 0; k < 4; k++) {
    const int i = first + k * 1 + lane;
     {
      const int g0 = i;
      const Vector<float, 8> o4 = load_pieces<8, 4>(scale + (base2 + g0 * 8));
      const Vector<float, 8> o5 = load_pieces<8, 4>(bias + (base3 + g0 * 8));
      Vector<half_t, 8> r;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e = v[k][j];
        const float value = (e - mean) * factor;
        const float e0 = value * load(o4.at[j]);
        const float e1 = e0 + load(o5.at[j]);
        r.at[j] = store<half_t>(e1);
      }
      store_vector(y + (base1 + g0 * 8), r);
    }
  }
}

// kernel 5
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 3 * 64;
  const int n0 = number % 3 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 32;
    if (line < 2048) a_valid |= 1u << i;
  }
  const int b_piece = thread % 4, b_line = thread / 4;
  const int b_first = n0 + b_piece * 8; int b_k = k0 + b_line;
  const bool b_wanted = b_first < 96;
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 32);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<64>(b_line + i * 32, b_piece), b + (b_first + (b_k + i * 32) * 96), b_wanted && (b_k + i * 32) < 32);
    }
    b_k += 64;
  };
  Vector<float, 8> x0_at[2];
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 96) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[slot].at)[1] = load_vector<4>(x0 + 0 + column + 4);
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
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices_transposed(four, tile + tile_place<64>(slice * 16 + (lane & 15), first / 8 + (lane >> 4)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int slot = 0; slot < 2; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 96) {
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)staged[line * 40 + piece + j];
        const float e1 = e0 + load(x0_at[slot].at[j]);
        result.at[j] = store<half_t>(e1);
      }
      store_vector(out + u0 * 96 + column, result);
    }
  }
}

// kernel 6
template <int rows, int columns, int pitch, int stride, int length>
DEVICE void load_rows(half_t* shared, const half_t* global, int first, int limit) {
  const int chunks = columns / length, threads = 128;
  const int row = threadIdx.x / chunks, column = threadIdx.x % chunks * length;
  if (threads % chunks == 0) {
    const int step = threads / chunks;
    #pragma unroll
    for (int i = 0; i < rows; i += step)
      if (rows % step == 0 || row + i < rows)
        copy_async<length * 2>(shared + row * pitch + column + i * pitch, global + (first + row) * stride + column + i * stride, first + row + i < limit);
  } else {
    for (int at = threadIdx.x; at < rows * chunks; at += threads)
      copy_async<length * 2>(shared + at / chunks * pitch + at % chunks * length, global + (first + at / chunks) * stride + at % chunks * length, first + at / chunks < limit);
  }
}
KERNEL(128) attention_mma(const half_t* __restrict__ query, const half_t* __restrict__ key, const half_t* __restrict__ value, const float* __restrict__ mask, half_t* output) {
  kernel_begins();
  half_t* const queries = (half_t*)dynamic_shared;
  half_t* const keys = queries + 384;
  half_t* const values = queries + 1920;
  const int lane = lane_index(), warp = warp_index();
  const int warp_row = warp % 1 * 16, warp_key = warp / 1 * 16;
  const int first_row = ((int)blockIdx.x % 4) * 16;
  const int head = blockIdx.x / 4, h = head % 4, b = head / 4;
  query += b * 6144 + h * 8;
  key += b * 6144 + h * 8;
  value += b * 6144 + h * 8;
  mask += b * 64;
  for (int i = threadIdx.x; i < 640; i += 128) {
    const int row = i / 8, column = 8 + i % 8;
    queries[row * 24 + column] = store<half_t>(0.0f);
  }
  const int tiles = 1;
  load_rows<16, 8, 24, 96, 8>(queries, query, first_row, 64);
  load_rows<64, 8, 24, 96, 8>(keys + 0 * 1536, key, (0) * 64, 64);
  copy_async_commit();
  load_rows<64, 8, 24, 96, 8>(values + 0 * 1536, value, (0) * 64, 64);
  copy_async_commit();
  float results[2][4] = {}, largest[2] = {-INFINITY_F, -INFINITY_F}, total[2] = {0, 0};
  uint32_t q[1][4];
  for (int tile = 0; tile < tiles; tile++) {
    float terms[2][2];
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      const int column = tile * 64 + warp_key + i / 2 * 8 + lane % 4 * 2 + i % 2;
      terms[i / 2][i % 2] = (float)load(mask[column]);
    }
    copy_async_wait<1>();
    block_barrier();
    if (tile == 0) {
      #pragma unroll
      for (int step = 0; step < 1; step++) {
        uint32_t (&fragment)[4] = q[step];
        load_matrices(fragment, queries + (warp_row + lane % 16) * 24 + step * 16 + lane / 16 * 8);
      }
    }
    float scores[2][4] = {};
    #pragma unroll
    for (int step = 0; step < 1; step++) {
      const uint32_t (&fragment)[4] = q[step];
      #pragma unroll
      for (int n = 0; n < 2; n += 2) {
        uint32_t k[4];
        load_matrices(k, keys + (warp_key + n * 8 + lane / 16 * 8 + lane % 8) * 24 + step * 16 + lane / 8 % 2 * 8);
        const uint32_t k0[2] = {k[0], k[1]}, k1[2] = {k[2], k[3]};
        mma_half(scores[n], fragment, k0);
        mma_half(scores[n + 1], fragment, k1);
      }
    }
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      float& score = scores[i / 4][i % 4];
      const int row = first_row + warp_row + lane / 4 + i / 2 % 2 * 8;
      const int column = tile * 64 + warp_key + i / 4 * 8 + lane % 4 * 2 + i % 2;
      score *= (0.353553385f);
      const float term = terms[i / 4][i % 2];
      score = term == (-INFINITY_F) ? term : score + term;
    }
    #pragma unroll
    for (int r = 0; r < 2; r++) {
      float high = largest[r];
      #pragma unroll
      for (int n = 0; n < 2; n++) high = fmaxf(high, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
      high = fmaxf(high, shuffle_xor(high, 1));
      high = fmaxf(high, shuffle_xor(high, 2));
      const float reference = high == -INFINITY_F ? 0.0f : high;
      const float factor = power_of_two((largest[r] - reference) * (1.44269502f));
      largest[r] = high;
      total[r] *= factor;
      #pragma unroll
      for (int n = 0; n < 2; n++) { results[n][2 * r] *= factor; results[n][2 * r + 1] *= factor; }
      #pragma unroll
      for (int n = 0; n < 2; n++) {
        float (&s)[4] = scores[n];
        s[2 * r] = power_of_two((s[2 * r] - reference) * (1.44269502f));
        s[2 * r + 1] = power_of_two((s[2 * r + 1] - reference) * (1.44269502f));
        total[r] += s[2 * r] + s[2 * r + 1];
      }
    }
    copy_async_wait<0>();
    block_barrier();
    #pragma unroll
    for (int step = 0; step < 1; step++) {
      const float (&s)[4] = scores[2 * step], (&t)[4] = scores[2 * step + 1];
      const uint32_t p[4] = {floats_to_halves(s[0], s[1]), floats_to_halves(s[2], s[3]), floats_to_halves(t[0], t[1]), floats_to_halves(t[2], t[3])};
      #pragma unroll
      for (int n = 0; n < 2; n += 2) {
        uint32_t v[4];
        load_matrices_transposed(v, values + (warp_key + step * 16 + lane % 16) * 24 + n * 8 + lane / 16 * 8);
        const uint32_t v0[2] = {v[0], v[1]}, v1[2] = {v[2], v[3]};
        mma_half(results[n], p, v0);
        mma_half(results[n + 1], p, v1);
      }
    }
  }
  copy_async_wait<0>();
  block_barrier();
  float* const merged = (float*)dynamic_shared;
  const int slot = warp / 1 * 16 + warp_row + lane / 4;
  float* const high = merged + 1536;
  float* const sums = high + 64;
  #pragma unroll
  for (int r = 0; r < 2; r++) {
    total[r] += shuffle_xor(total[r], 1);
    total[r] += shuffle_xor(total[r], 2);
    if (lane % 4 == 0) { high[slot + r * 8] = largest[r]; sums[slot + r * 8] = total[r]; }
    #pragma unroll
    for (int n = 0; n < 2; n++) {
      const Vector<float, 2> pair = {results[n][2 * r], results[n][2 * r + 1]};
      store_vector(merged + (slot + r * 8) * 24 + n * 8 + lane % 4 * 2, pair);
    }
  }
  block_barrier();
  for (int at = threadIdx.x; at < 16; at += 128) {
    const int place = at / 1, row = first_row + place, column = at % 1 * 8;
    if (row >= 64) break;
    Vector<half_t, 8> stored;
    float values[8] = {};
    float shares[4], top = -INFINITY_F, sum = 0;
    #pragma unroll
    for (int w = 0; w < 4; w++) top = fmaxf(top, high[w * 16 + place]);
    if (top == -INFINITY_F) top = 0;
    #pragma unroll
    for (int w = 0; w < 4; w++) {
      shares[w] = power_of_two((high[w * 16 + place] - top) * (1.44269502f));
      sum += shares[w] * sums[w * 16 + place];
    }
    const float share = sum == 0 ? 0.0f : 1 / sum;
    #pragma unroll
    for (int w = 0; w < 4; w++) {
      #pragma unroll
      for (int i = 0; i < 8; i += 4) {
        const Vector<float, 4> some = load_vector<4>(merged + (w * 16 + place) * 24 + column + i);
        #pragma unroll
        for (int j = 0; j < 4; j++) values[i + j] += some.at[j] * (shares[w] * share);
      }
    }
    #pragma unroll
    for (int i = 0; i < 8; i++) {
      const float value = values[i];
      stored.at[i] = store<half_t>(value);
    }
    store_vector(output + b * 2048 + h * 8 + row * 32 + column, stored);
  }
}

// kernel 7
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, const half_t* x1, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 32;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[2], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 32;
    if (line < 2048) a_valid |= 1u << i;
  }
  const int b_piece = thread % 4, b_line = thread / 4;
  const int b_first = n0 + b_piece * 8; int b_k = k0 + b_line;
  const bool b_wanted = b_first < 32;
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 32);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<64>(b_line + i * 32, b_piece), b + (b_first + (b_k + i * 32) * 32), b_wanted && (b_k + i * 32) < 32);
    }
    b_k += 64;
  };
  Vector<float, 8> x0_at[1];
  Vector<half_t, 8> x1_at[1];
  #pragma unroll
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 32) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[slot].at)[1] = load_vector<4>(x0 + 0 + column + 4);
      ((Vector<half_t, 8>*)x1_at[slot].at)[0] = load_vector<8>(x1 + u0 * 32 + column + 0);
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
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices_transposed(four, tile + tile_place<64>(slice * 16 + (lane & 15), first / 8 + (lane >> 4)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 32) {
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)staged[line * 40 + piece + j];
        const float e1 = e0 + load(x0_at[slot].at[j]);
        const float e2 = (float)load(x1_at[slot].at[j]);
        const float e3 = e1 + e2;
        result.at[j] = store<half_t>(e3);
      }
      store_vector(out + u0 * 32 + column, result);
    }
  }
}

// kernel 8
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 4 * 32;
  const int n0 = number % 4 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[2], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 32;
    if (line < 2048) a_valid |= 1u << i;
  }
  const int b_piece = thread % 4, b_line = thread / 4;
  const int b_first = n0 + b_piece * 8; int b_k = k0 + b_line;
  const bool b_wanted = b_first < 128;
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 32);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<64>(b_line + i * 32, b_piece), b + (b_first + (b_k + i * 32) * 128), b_wanted && (b_k + i * 32) < 32);
    }
    b_k += 64;
  };
  Vector<float, 8> x0_at[1];
  #pragma unroll
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 128) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[slot].at)[1] = load_vector<4>(x0 + 0 + column + 4);
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
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices_transposed(four, tile + tile_place<64>(slice * 16 + (lane & 15), first / 8 + (lane >> 4)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 128) {
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)staged[line * 40 + piece + j];
        const float e1 = e0 + load(x0_at[slot].at[j]);
        const float e2 = gaussian_unit(e1);
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 128 + column, result);
    }
  }
}

// kernel 9
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, const half_t* x1, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 32;
  const int n0 = number % 1 * 32;
  const int steps = 2, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[2], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 128;
    if (line < 2048) a_valid |= 1u << i;
  }
  const int b_piece = thread % 4, b_line = thread / 4;
  const int b_first = n0 + b_piece * 8; int b_k = k0 + b_line;
  const bool b_wanted = b_first < 32;
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 128);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<64>(b_line + i * 32, b_piece), b + (b_first + (b_k + i * 32) * 32), b_wanted && (b_k + i * 32) < 128);
    }
    b_k += 64;
  };
  Vector<float, 8> x0_at[1];
  Vector<half_t, 8> x1_at[1];
  #pragma unroll
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 32) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[slot].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[slot].at)[1] = load_vector<4>(x0 + 0 + column + 4);
      ((Vector<half_t, 8>*)x1_at[slot].at)[0] = load_vector<8>(x1 + u0 * 32 + column + 0);
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
    }
    tile += 4096;
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices_transposed(four, tile + tile_place<64>(slice * 16 + (lane & 15), first / 8 + (lane >> 4)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 1; i++) {
      #pragma unroll
      for (int j = 0; j < 2; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int slot = 0; slot < 1; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 2048 && column < 32) {
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)staged[line * 40 + piece + j];
        const float e1 = e0 + load(x0_at[slot].at[j]);
        const float e2 = (float)load(x1_at[slot].at[j]);
        const float e3 = e1 + e2;
        result.at[j] = store<half_t>(e3);
      }
      store_vector(out + u0 * 32 + column, result);
    }
  }
}

// kernel 10
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 1 * 32;
  const int n0 = number % 1 * 32;
  const int steps = 1, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[2], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = m0 + a_line + i * 16;
    const int u0 = line;
    a_base[i] = u0 * 2048;
    if (line < 32) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[2], b_k = k0 + b_piece * 8; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 32;
    if (line < 32) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 32);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 4096 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 32);
    }
    b_k += 64;
  };
  Vector<float, 4> x0_at[2];
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 4;
    const int row = m0 + line, column = n0 + piece;
    if (row < 32 && column < 32) {
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
      for (int j = 0; j < 2; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
    if (row < 32 && column < 32) {
      const int u0 = row;
      Vector<float, 4> result;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const float e0 = (float)staged[line * 40 + piece + j];
        const float e1 = e0 + load(x0_at[slot].at[j]);
        const float e2 = tanhf(e1);
        result.at[j] = store<float>(e2);
      }
      store_vector(out + u0 * 32 + column, result);
    }
  }
}

// kernel 11
KERNEL(64) elementwise(const half_t* p0, float* y) {
  kernel_begins();
  const unsigned first = blockIdx.x * 64u + threadIdx.x;
  Vector<half_t, 4> v0[1];
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 16384u) {
      const int c0 = i;
      v0[u] = load_vector<4>(p0 + c0 * 4);
    }
  }
  #pragma unroll
  for (int u = 0; u < 1; u++) {
    const unsigned i = first + u * 64u;
    if (i < 16384u) {
      Vector<float, 4> r;
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const auto x0 = load(v0[u].at[j]);
        const float e0 = (float)x0;
        r.at[j] = store<float>(e0);
      }
      const int c0 = i;
      store_vector(y + c0 * 4, r);
    }
  }
}

