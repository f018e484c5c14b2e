// '/conv1/Conv': wgmma cells 128x64x32 s8 alternating
//   once, kernel 0: 64 x 1 x 1 blocks of 256 threads
//   kernel 1: 1240 x 1 x 1 blocks of 256 threads
//   kernel 2: 132 x 1 x 1 blocks of 384 threads, 230400 bytes of shared memory
// '/MaxPool': channels last 8x4
//   kernel 3: 392 x 1 x 1 blocks of 128 threads
// '/layer1.0/conv1/Conv': wgmma 192x64x64 s6
//   once, kernel 4: 18 x 1 x 1 blocks of 256 threads
//   kernel 5: 131 x 1 x 1 blocks of 512 threads, 222464 bytes of shared memory
// '/layer1.0/conv2/Conv': wgmma 192x64x64 s5
//   once, kernel 4: 18 x 1 x 1 blocks of 256 threads
//   kernel 6: 131 x 1 x 1 blocks of 512 threads, 214272 bytes of shared memory
// '/layer1.1/conv1/Conv': wgmma 192x64x64 s6
//   once, kernel 4: 18 x 1 x 1 blocks of 256 threads
//   kernel 5: 131 x 1 x 1 blocks of 512 threads, 222464 bytes of shared memory
// '/layer1.1/conv2/Conv': wgmma 192x64x64 s5
//   once, kernel 4: 18 x 1 x 1 blocks of 256 threads
//   kernel 6: 131 x 1 x 1 blocks of 512 threads, 214272 bytes of shared memory
// '/layer2.0/conv1/Conv': wgmma split1 64x128
//   once, kernel 7: 36 x 1 x 1 blocks of 256 threads
//   kernel 8: 98 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory
// '/layer2.0/conv2/Conv': wgmma split1 64x128
//   once, kernel 9: 72 x 1 x 1 blocks of 256 threads
//   kernel 10: 98 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory
// '/layer2.0/downsample.0/Conv': mma 128x64x32 w4 s5
//   kernel 11: 98 x 1 x 1 blocks of 128 threads, 61440 bytes of shared memory
// '/layer2.1/conv1/Conv': wgmma split1 64x128
//   once, kernel 9: 72 x 1 x 1 blocks of 256 threads
//   kernel 12: 98 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory
// '/layer2.1/conv2/Conv': wgmma split1 64x128
//   once, kernel 9: 72 x 1 x 1 blocks of 256 threads
//   kernel 13: 98 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory
// '/layer3.0/conv1/Conv': wgmma split1 64x64
//   once, kernel 14: 144 x 1 x 1 blocks of 256 threads
//   kernel 15: 100 x 1 x 1 blocks of 160 threads, 116832 bytes of shared memory
// '/layer3.0/conv2/Conv': wgmma split2 64x128
//   once, kernel 16: 288 x 1 x 1 blocks of 256 threads
//   kernel 17: 100 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 2
// '/layer3.0/downsample.0/Conv': mma 64x64x64 w4 s5
//   kernel 18: 100 x 1 x 1 blocks of 128 threads, 81920 bytes of shared memory
// '/layer3.1/conv1/Conv': wgmma split2 64x128
//   once, kernel 16: 288 x 1 x 1 blocks of 256 threads
//   kernel 19: 100 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 2
// '/layer3.1/conv2/Conv': wgmma split2 64x128
//   once, kernel 16: 288 x 1 x 1 blocks of 256 threads
//   kernel 20: 100 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 2
// '/layer4.0/conv1/Conv': wgmma split2 64x64
//   once, kernel 21: 576 x 1 x 1 blocks of 256 threads
//   kernel 22: 112 x 1 x 1 blocks of 160 threads, 116832 bytes of shared memory, clusters of 2
// '/layer4.0/conv2/Conv': wgmma split4 64x128
//   once, kernel 23: 1152 x 1 x 1 blocks of 256 threads
//   kernel 24: 112 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 4
// '/layer4.0/downsample.0/Conv': wgmma split1 64x32
//   kernel 25: 112 x 1 x 1 blocks of 160 threads, 59456 bytes of shared memory
// '/layer4.1/conv1/Conv': wgmma split4 64x128
//   once, kernel 23: 1152 x 1 x 1 blocks of 256 threads
//   kernel 26: 112 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 4
// '/layer4.1/conv2/Conv': wgmma split4 64x128
//   once, kernel 23: 1152 x 1 x 1 blocks of 256 threads
//   kernel 27: 112 x 1 x 1 blocks of 160 threads, 133184 bytes of shared memory, clusters of 4
// '/GlobalAveragePool': column reduction 8x32 x8
//   kernel 28: 64 x 1 x 1 blocks of 256 threads
// '/fc/Gemm': gemv
//   kernel 29: 250 x 1 x 1 blocks of 128 threads

// kernel 0
KERNEL(256) weight_cells(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 16384) return;
  const int line = number / 64;
  const int tap = line % 4, filter = line / 4;
  auto element = [&](int at) -> float {
    const int c = at % 3, dx = at / 3 % 2;
    const int dy = at / 6 % 2;
    const int row = tap * 2 + dy, column = at / 12 * 2 + dx;
    const bool inside = c < 3 && row < 7 && column < 7;
    return inside ? x[filter * 147 + c * 49 + row * 7 + column] : store<float>(0.0f);
  };
  y[number] = divided_line_word<2>(number % 64, element);
}

// kernel 1
KERNEL(256) cells(const float* __restrict__ x, float* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 317400) return;
  const int piece = number % 3, cell = number / 3;
  const int left = cell % 115 * 2 - 3;
  const int line = cell / 115, image = line / 115;
  const int top = line % 115 * 2 - 3;
  Vector<float, 4> result;
  #pragma unroll
  for (int j = 0; j < 4; j++) {
    const int at = piece * 4 + j;
    const int c = at % 3, dx = at / 3 % 2;
    const int dy = at / 6 % 2;
    const int row = top + dy, column = left + dx;
    const bool inside = c < 3 && (unsigned)row < 224 && (unsigned)column < 224;
    result.at[j] = store<float>(0.0f);
    if (inside) result.at[j] = x[image * 150528 + c * 50176 + row * 224 + column];
  }
  store_vector(y + number * 4, result);
}

// kernel 2
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[32], const uint32_t (&a)[4], uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %37, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, {%32,%33,%34,%35}, %36, p, 1, 1, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31])
    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds));
}
LONE_KERNEL(384) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 131072;
  const uint32_t full = shared + 229888;
  const uint32_t empty = full + 64;
  const uint32_t turn = empty + 64;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 8; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barrier_begin(turn, 4);
    barrier_begin(turn + 8, 4);
    barriers_begun();
    prefetch_map(&a);
    prefetch_map(&b);
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() < 4) {
    give_registers<40>();
    if (threadIdx.x != 0) return;
    wait_for_predecessor();
    int stage = 0;
    uint32_t phase = 1;
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 784; tile += 132, turns++) {
      const int m0 = tile / 1 * 128;
      const int n0 = tile % 1 * 64;
      const int u2 = m0 % 112;
      const int ur2 = m0 / 112;
      const int u1 = ur2 % 112;
      const int ur1 = ur2 / 112;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 0;
      const int p1 = u2 * 1 - 0;
      int c = 0;
      int tap = 0;
      int t0 = 0;
      int t1 = 0;
      #pragma unroll 1
      for (int step = 0; step < 8; step++) {
        const uint32_t bar = full + 8 * stage;
        barrier_wait(empty + 8 * stage, phase);
        barrier_expect(bar, 24576);
        copy_pixels(shared + stage * 16384, &a, bar, c, p1, p0, u0, t1 * 1, t0 * 1);
        copy_box(shared_b + stage * 8192, &b, bar, c * 2, tap, n0);
        c += 32;
        if (c >= 48) {
          c = 0;
          tap++;
          if (++t1 == 1) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 8) { stage = 0; phase ^= 1; }
      }
    }
  }
  else {
    take_registers<232>();
    wait_for_predecessor();
    const int group = (threadIdx.x >> 7) - 1, warp = warp_index() & 3, lane = lane_index();
    unsigned char* const group_room = dynamic_shared + 196608 + group * 16640;
    unsigned char* const warp_room = group_room + warp * 4096;
    float* const staged = (float*)warp_room;
    float* const x0_line = (float*)(group_room + 16384);
     {
      const int n0 = 0;
      float x0_early[1];
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        const int column = near < 64 ? n0 + near : n0;
        if (column < 64) x0_early[i] = x0[column];
      }
      group_barrier(group + 1, 128);
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        if (near < 64) x0_line[near] = x0_early[i];
      }
      group_barrier(group + 1, 128);
    }
    float sums[2][32];
    int seen = 0;
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 784; tile += 132, turns++) {
      const int m0 = tile / 1 * 128;
      const int n0 = tile % 1 * 64;
      if ((turns & 1) != group) continue;
      const uint32_t number = turns * 8;
      int stage = number % 8, before = 0;
      uint32_t phase = number / 8 & 1;
      if (group || seen) barrier_wait(turn + 8 * group, (group ? seen : seen - 1) & 1);
      uint32_t factors[1][2][4][4];
      const int own_line = warp * 16 + (lane & 15);
      #pragma unroll 1
      for (int step = 0; step < 8;) {
         {
          barrier_wait(full + 8 * stage, phase);
          const unsigned char* const rows = dynamic_shared + stage * 16384 + own_line * 128;
          #pragma unroll
          for (int i = 0; i < 8; i++) {
            const int piece = i % 4 * 2 + (lane >> 4), part = i / 2, at = i % 2 * 2;
            uint32_t x[4];
            load_matrices(x, rows + i / 4 * 8192 + ((piece ^ (own_line & 7)) << 4));
            divide_floats(x[0], x[2], factors[0][0][part][at + 0], factors[0][1][part][at + 0]);
            divide_floats(x[1], x[3], factors[0][0][part][at + 1], factors[0][1][part][at + 1]);
          }
          const uint64_t y = tile_descriptor(shared_b + stage * 8192);
          products_begin();
          multiply(sums[0], factors[0][1][0], y + 0, step - 0);
          multiply(sums[1], factors[0][1][2], y + 0, step - 0);
          multiply(sums[0], factors[0][1][1], y + 2, 1);
          multiply(sums[1], factors[0][1][3], y + 2, 1);
          multiply(sums[0], factors[0][0][0], y + 4, 1);
          multiply(sums[1], factors[0][0][2], y + 4, 1);
          multiply(sums[0], factors[0][0][1], y + 6, 1);
          multiply(sums[1], factors[0][0][3], y + 6, 1);
          multiply(sums[0], factors[0][0][0], y + 0, 1);
          multiply(sums[1], factors[0][0][2], y + 0, 1);
          multiply(sums[0], factors[0][0][1], y + 2, 1);
          multiply(sums[1], factors[0][0][3], y + 2, 1);
          products_commit();
          products_wait<0>();
          if (step > 0 && lane == 0) barrier_arrive(empty + 8 * before);
          before = stage;
          step++;
          if (++stage == 8) { stage = 0; phase ^= 1; }
        }
      }
      if (lane == 0) barrier_arrive(turn + 8 * (1 - group));
      products_wait<0>();
      if (lane == 0) barrier_arrive(empty + 8 * before);
      hold(sums[0]);
      hold(sums[1]);
      const int line = lane >> 2, swizzle = (line & 3) << 1;
      auto pass = [&](int part) {
        #pragma unroll
        for (int j = 0; j < 8; j++) {
          Vector<float, 2> pair;
          const int at = part / 2 % 1 * 32 + j * 4 + part % 2 * 2;
          pair.at[0] = sums[part / 2][at];
          pair.at[1] = sums[part / 2][at + 1];
          store_vector(staged + part % 2 * 512 + (line) * 64 + (((j * 2 + (lane >> 1 & 1)) ^ ((j * 2 + (lane >> 1 & 1)) >> 3) ^ swizzle) << 2) + (lane & 1) * 2, pair);
        }
      };
      warp_barrier();
      pass(0);
      #pragma unroll
      for (int part = 0; part < 4; part++) {
        warp_barrier();
        if (part + 1 < 4) pass(part + 1);
        const int first = m0 + part / 2 * 64 + warp * 16 + part % 2 * 8;
        const int left = n0 + part / 2 % 1 * 64;
        if (first < 100352 && left < 64) {
          Vector<float, 8> x0_at[2];
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            x0_at[slot] = load_vector<8>(x0_line + (left - n0) + lane % 8 * 8);
          }
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            const int near = slot * 4 + lane / 8;
            const int row = first + near, column = left + lane % 8 * 8;
            const int order = (near & 3) << 1;
            Vector<float, 8> own_sums;
            ((Vector<float, 4>*)own_sums.at)[0] = load_vector<4>(staged + part % 2 * 512 + (near) * 64 + (((lane % 8 * 2 + 0) ^ ((lane % 8 * 2 + 0) >> 3) ^ order) << 2));
            ((Vector<float, 4>*)own_sums.at)[1] = load_vector<4>(staged + part % 2 * 512 + (near) * 64 + (((lane % 8 * 2 + 1) ^ ((lane % 8 * 2 + 1) >> 3) ^ order) << 2));
            if (row < 100352 && column < 64) {
              const int u0 = row;
              Vector<half_t, 8> result;
              #pragma unroll
              for (int j = 0; j < 8; j++) {
                const float e0 = own_sums.at[j] + load(x0_at[slot].at[j]);
                const float e1 = larger(e0, (0.0f));
                result.at[j] = store<half_t>(e1);
              }
              store_vector(out + u0 * 64 + column, result);
            }
          }
        }
      }
      seen++;
    }
  }
}

// kernel 3
KERNEL(128) channels_last_window(const half_t* __restrict__ x, half_t* y) {
  kernel_begins();
  int rest_block_channel = blockIdx.x;
  const int block_channel = 0;
  const int block_column = rest_block_channel % 7; rest_block_channel /= 7;
  const int block_row = rest_block_channel % 7; rest_block_channel /= 7;
  const int n = rest_block_channel;
  int rest_channel = threadIdx.x;
  const int channel = rest_channel % 8; rest_channel /= 8;
  const int column = rest_channel % 2; rest_channel /= 2;
  const int row = rest_channel;
  const int m = (block_channel * 8 + channel) * 8;
  const int tile_row = block_row * 8 + row;
  const int tile_column = block_column * 2 + column;
  const int top = tile_row * 1;
  const int left = tile_column * 4;
  if (m >= 64 || top >= 56 || left >= 56) return;
  float result[4][8];
  #pragma unroll
  for (int j = 0; j < 4; j++)
  #pragma unroll
    for (int v = 0; v < 8; v++) result[j][v] = (-INFINITY_F);
  Vector<half_t, 8> nothing = {};
  #pragma unroll
  for (int v = 0; v < 8; v++) nothing.at[v] = store<half_t>((-INFINITY_F));
  const int start = left * 2 - 1;
  #pragma unroll
  for (int r = 0; r < 3; r++) {
    const int i = top * 2 - 1 + r * 1;
    const half_t* line = x + n * 802816 + m + i * 7168 + 0 * 64;
    #pragma unroll
    for (int t = 0; t < 9; t++) {
      Vector<half_t, 8> element = nothing;
      if ((unsigned)i < 112u && (unsigned)(start + t) < 112u)
        element = load_vector<8>(line + (start + t) * 64);
      float value[8];
      #pragma unroll
      for (int v = 0; v < 8; v++) value[v] = load(element.at[v]);
      #pragma unroll
      for (int j = 0; j < 4; j++) {
        const int s = t - j * 2;
        if (s < 0 || s > 2 || s % 1 != 0) continue;
        #pragma unroll
        for (int v = 0; v < 8; v++)
          result[j][v] = larger(result[j][v], value[v]);
      }
    }
  }
  #pragma unroll
  for (int j = 0; j < 4; j++) {
    if (left + j >= 56) break;
    {
      Vector<half_t, 8> r;
      #pragma unroll
      for (int v = 0; v < 8; v++) {
        r.at[v] = store<half_t>(result[j][v]);
      }
      store_vector(y + n * 200704 + m + top * 3584 + (left + j) * 64, r);
    }
  }
}

// kernel 4
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 4608) return;
  const int line = number % 64, piece = number / 64;
  const int o0 = line;
  const int base = o0 * 576;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 64;
    const int ir2 = deep / 64;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 576 + piece * 8, result);
}

// kernel 5
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
LONE_KERNEL(512) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 147456;
  const uint32_t full = shared + 221952;
  const uint32_t empty = full + 48;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 6; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 12);
    }
    barriers_begun();
    prefetch_map(&a);
    prefetch_map(&b);
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() < 4) {
    give_registers<40>();
    if (threadIdx.x != 0) return;
    wait_for_predecessor();
    int stage = 0;
    uint32_t phase = 1;
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 131; tile += 131, turns++) {
      const int m0 = tile / 1 * 192;
      const int n0 = tile % 1 * 64;
      const int u2 = m0 % 56;
      const int ur2 = m0 / 56;
      const int u1 = ur2 % 56;
      const int ur1 = ur2 / 56;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = 0;
      int tap = 0;
      int t0 = 0;
      int t1 = 0;
      #pragma unroll 1
      for (int step = 0; step < 9; step++) {
        const uint32_t bar = full + 8 * stage;
        barrier_wait(empty + 8 * stage, phase);
        barrier_expect(bar, 32768);
        copy_pixels(shared + stage * 24576, &a, bar, c, p1, p0, u0, t1 * 1, t0 * 1);
        copy_box(shared_b + stage * 8192, &b, bar, c, tap, n0);
        c += 64;
        if (c >= 64) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 6) { stage = 0; phase ^= 1; }
      }
    }
  }
  else {
    take_registers<152>();
    wait_for_predecessor();
    const int group = (threadIdx.x >> 7) - 1, warp = warp_index() & 3, lane = lane_index();
    unsigned char* const group_room = dynamic_shared + 196608 + group * 8448;
    unsigned char* const warp_room = group_room + warp * 2048;
    float* const staged = (float*)warp_room;
    float* const x0_line = (float*)(group_room + 8192);
     {
      const int n0 = 0;
      float x0_early[1];
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        const int column = near < 64 ? n0 + near : n0;
        if (column < 64) x0_early[i] = x0[column];
      }
      group_barrier(group + 1, 128);
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        if (near < 64) x0_line[near] = x0_early[i];
      }
      group_barrier(group + 1, 128);
    }
    float sums[1][32];
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 131; tile += 131, turns++) {
      const int m0 = tile / 1 * 192;
      const int n0 = tile % 1 * 64;
      const uint32_t number = turns * 9;
      int stage = number % 6, before = 0;
      uint32_t phase = number / 6 & 1;
      #pragma unroll 1
      for (int step = 0; step < 9; step++) {
        barrier_wait(full + 8 * stage, phase);
        const uint64_t x = tile_descriptor(shared + stage * 24576 + group * 8192);
        const uint64_t y = tile_descriptor(shared_b + stage * 8192);
        products_begin();
        multiply(sums[0], x + 0, y + 0, step);
        multiply(sums[0], x + 2, y + 2, 1);
        multiply(sums[0], x + 4, y + 4, 1);
        multiply(sums[0], x + 6, y + 6, 1);
        products_commit();
        products_wait<1>();
        if (step && lane == 0) barrier_arrive(empty + 8 * before);
        before = stage;
        if (++stage == 6) { stage = 0; phase ^= 1; }
      }
      products_wait<0>();
      if (lane == 0) barrier_arrive(empty + 8 * before);
      hold(sums[0]);
      const int line = lane >> 2, swizzle = (line & 3) << 1;
      auto pass = [&](int part) {
        #pragma unroll
        for (int j = 0; j < 8; j++) {
          Vector<float, 2> pair;
          const int at = part / 2 % 1 * 32 + j * 4 + part % 2 * 2;
          pair.at[0] = sums[part / 2][at];
          pair.at[1] = sums[part / 2][at + 1];
          store_vector(staged + part % 1 * 512 + (line) * 64 + (((j * 2 + (lane >> 1 & 1)) ^ ((j * 2 + (lane >> 1 & 1)) >> 3) ^ swizzle) << 2) + (lane & 1) * 2, pair);
        }
      };
      warp_barrier();
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        warp_barrier(); pass(part);
        warp_barrier();
        const int first = m0 + group * 64 + part / 2 * 64 + warp * 16 + part % 2 * 8;
        const int left = n0 + part / 2 % 1 * 64;
        if (first < 25088 && left < 64) {
          Vector<float, 8> x0_at[2];
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            x0_at[slot] = load_vector<8>(x0_line + (left - n0) + lane % 8 * 8);
          }
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            const int near = slot * 4 + lane / 8;
            const int row = first + near, column = left + lane % 8 * 8;
            const int order = (near & 3) << 1;
            Vector<float, 8> own_sums;
            ((Vector<float, 4>*)own_sums.at)[0] = load_vector<4>(staged + part % 1 * 512 + (near) * 64 + (((lane % 8 * 2 + 0) ^ ((lane % 8 * 2 + 0) >> 3) ^ order) << 2));
            ((Vector<float, 4>*)own_sums.at)[1] = load_vector<4>(staged + part % 1 * 512 + (near) * 64 + (((lane % 8 * 2 + 1) ^ ((lane % 8 * 2 + 1) >> 3) ^ order) << 2));
            if (row < 25088 && column < 64) {
              const int u0 = row;
              Vector<half_t, 8> result;
              #pragma unroll
              for (int j = 0; j < 8; j++) {
                const float e0 = (float)own_sums.at[j];
                const float e1 = e0 + load(x0_at[slot].at[j]);
                const float e2 = larger(e1, (0.0f));
                result.at[j] = store<half_t>(e2);
              }
              store_vector(out + u0 * 64 + column, result);
            }
          }
        }
      }
    }
  }
}

// kernel 6
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
LONE_KERNEL(512) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const half_t* x0, const float* x1, half_t* out) {
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 122880;
  const uint32_t full = shared + 213760;
  const uint32_t empty = full + 40;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 5; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 12);
    }
    barriers_begun();
    prefetch_map(&a);
    prefetch_map(&b);
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() < 4) {
    give_registers<40>();
    if (threadIdx.x != 0) return;
    wait_for_predecessor();
    int stage = 0;
    uint32_t phase = 1;
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 131; tile += 131, turns++) {
      const int m0 = tile / 1 * 192;
      const int n0 = tile % 1 * 64;
      const int u2 = m0 % 56;
      const int ur2 = m0 / 56;
      const int u1 = ur2 % 56;
      const int ur1 = ur2 / 56;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = 0;
      int tap = 0;
      int t0 = 0;
      int t1 = 0;
      #pragma unroll 1
      for (int step = 0; step < 9; step++) {
        const uint32_t bar = full + 8 * stage;
        barrier_wait(empty + 8 * stage, phase);
        barrier_expect(bar, 32768);
        copy_pixels(shared + stage * 24576, &a, bar, c, p1, p0, u0, t1 * 1, t0 * 1);
        copy_box(shared_b + stage * 8192, &b, bar, c, tap, n0);
        c += 64;
        if (c >= 64) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 5) { stage = 0; phase ^= 1; }
      }
    }
  }
  else {
    take_registers<152>();
    wait_for_predecessor();
    const int group = (threadIdx.x >> 7) - 1, warp = warp_index() & 3, lane = lane_index();
    unsigned char* const group_room = dynamic_shared + 163840 + group * 16640;
    unsigned char* const warp_room = group_room + warp * 4096;
    float* const staged = (float*)warp_room;
    unsigned char* const x0_ring = warp_room + 2048;
    float* const x1_line = (float*)(group_room + 16384);
    auto fetch = [&](int tile, int part) {
      const int m = tile / 1 * 192;
      const int n = tile % 1 * 64;
      const int first = m + group * 64 + part / 2 * 64 + warp * 16 + part % 2 * 8;
      const int left = n + part / 2 % 1 * 64;
      #pragma unroll
      for (int slot = 0; slot < 2; slot++) {
        const int near = slot * 4 + lane / 8;
        const int row = first + near, column = left + lane % 8 * 8;
        const bool wanted = row < 25088 && column < 64;
        const int v0_0 = row;
        copy_async<16>((half_t*)(x0_ring + (part % 2 * 2 + slot) * 512 + lane * 16), wanted ? x0 + v0_0 * 64 + column : x0, wanted);
      }
      copy_async_commit();
    };
    #pragma unroll 1
    for (int part = 0; part < 2; part++) fetch((int)blockIdx.x, part);
     {
      const int n0 = 0;
      float x1_early[1];
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        const int column = near < 64 ? n0 + near : n0;
        if (column < 64) x1_early[i] = x1[column];
      }
      group_barrier(group + 1, 128);
      #pragma unroll
      for (int i = 0; i < 1; i++) {
        const int near = i * 128 + (threadIdx.x & 127);
        if (near < 64) x1_line[near] = x1_early[i];
      }
      group_barrier(group + 1, 128);
    }
    float sums[1][32];
    #pragma unroll 1
    for (int tile = blockIdx.x, turns = 0; tile < 131; tile += 131, turns++) {
      const int m0 = tile / 1 * 192;
      const int n0 = tile % 1 * 64;
      const uint32_t number = turns * 9;
      int stage = number % 5, before = 0;
      uint32_t phase = number / 5 & 1;
      #pragma unroll 1
      for (int step = 0; step < 9; step++) {
        barrier_wait(full + 8 * stage, phase);
        const uint64_t x = tile_descriptor(shared + stage * 24576 + group * 8192);
        const uint64_t y = tile_descriptor(shared_b + stage * 8192);
        products_begin();
        multiply(sums[0], x + 0, y + 0, step);
        multiply(sums[0], x + 2, y + 2, 1);
        multiply(sums[0], x + 4, y + 4, 1);
        multiply(sums[0], x + 6, y + 6, 1);
        products_commit();
        products_wait<1>();
        if (step && lane == 0) barrier_arrive(empty + 8 * before);
        before = stage;
        if (++stage == 5) { stage = 0; phase ^= 1; }
      }
      products_wait<0>();
      if (lane == 0) barrier_arrive(empty + 8 * before);
      hold(sums[0]);
      const int line = lane >> 2, swizzle = (line & 3) << 1;
      auto pass = [&](int part) {
        #pragma unroll
        for (int j = 0; j < 8; j++) {
          Vector<float, 2> pair;
          const int at = part / 2 % 1 * 32 + j * 4 + part % 2 * 2;
          pair.at[0] = sums[part / 2][at];
          pair.at[1] = sums[part / 2][at + 1];
          store_vector(staged + part % 1 * 512 + (line) * 64 + (((j * 2 + (lane >> 1 & 1)) ^ ((j * 2 + (lane >> 1 & 1)) >> 3) ^ swizzle) << 2) + (lane & 1) * 2, pair);
        }
      };
      warp_barrier();
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        copy_async_wait<1>();
        warp_barrier(); pass(part);
        warp_barrier();
        const int first = m0 + group * 64 + part / 2 * 64 + warp * 16 + part % 2 * 8;
        const int left = n0 + part / 2 % 1 * 64;
        if (first < 25088 && left < 64) {
          Vector<half_t, 8> x0_at[2];
          Vector<float, 8> x1_at[2];
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            x1_at[slot] = load_vector<8>(x1_line + (left - n0) + lane % 8 * 8);
            x0_at[slot] = load_vector<8>((half_t*)(x0_ring + (part % 2 * 2 + slot) * 512 + lane * 16));
          }
          #pragma unroll
          for (int slot = 0; slot < 2; slot++) {
            const int near = slot * 4 + lane / 8;
            const int row = first + near, column = left + lane % 8 * 8;
            const int order = (near & 3) << 1;
            Vector<float, 8> own_sums;
            ((Vector<float, 4>*)own_sums.at)[0] = load_vector<4>(staged + part % 1 * 512 + (near) * 64 + (((lane % 8 * 2 + 0) ^ ((lane % 8 * 2 + 0) >> 3) ^ order) << 2));
            ((Vector<float, 4>*)own_sums.at)[1] = load_vector<4>(staged + part % 1 * 512 + (near) * 64 + (((lane % 8 * 2 + 1) ^ ((lane % 8 * 2 + 1) >> 3) ^ order) << 2));
            if (row < 25088 && column < 64) {
              const int u0 = row;
              Vector<half_t, 8> result;
              #pragma unroll
              for (int j = 0; j < 8; j++) {
                const float e0 = (float)own_sums.at[j];
                const float e1 = e0 + load(x1_at[slot].at[j]);
                const float e2 = (float)load(x0_at[slot].at[j]);
                const float e3 = e1 + e2;
                const float e4 = larger(e3, (0.0f));
                result.at[j] = store<half_t>(e4);
              }
              store_vector(out + u0 * 64 + column, result);
            }
          }
        }
        fetch(part + 2 < 2 ? tile : tile + 131, (part + 2) % 2);
      }
    }
  }
}

// kernel 7
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 9216) return;
  const int line = number % 128, piece = number / 128;
  const int o0 = line;
  const int base = o0 * 576;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 64;
    const int ir2 = deep / 64;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 576 + piece * 8, result);
}

// kernel 8
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 1 * 64;
  const int n0 = tile % 1 * 128;
  const int begin = 9 * rank / 1;
  const int end = 9 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 1 * 64;
        int tap = (begin) / 1;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 64) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 64) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 28;
      const int ur2 = m0 / 28;
      const int u1 = ur2 % 28;
      const int ur1 = ur2 / 28;
      const int u0 = ur1;
      const int p0 = u1 * 2 - 1;
      const int p1 = u2 * 2 - 1;
      int c = (begin) % 1 * 64;
      int tap = (begin) / 1;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 64) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 128) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 8; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 6272 && column < 128) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 128 + column, result);
    }
  }
}

// kernel 9
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 18432) return;
  const int line = number % 128, piece = number / 128;
  const int o0 = line;
  const int base = o0 * 1152;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 128;
    const int ir2 = deep / 128;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 1152 + piece * 8, result);
}

// kernel 10
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 1 * 64;
  const int n0 = tile % 1 * 128;
  const int begin = 18 * rank / 1;
  const int end = 18 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 2 * 64;
        int tap = (begin) / 2;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 28;
      const int ur2 = m0 / 28;
      const int u1 = ur2 % 28;
      const int ur1 = ur2 / 28;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 2 * 64;
      int tap = (begin) / 2;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 128) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 128) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 8; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 6272 && column < 128) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        result.at[j] = store<half_t>(e1);
      }
      store_vector(out + u0 * 128 + column, result);
    }
  }
}

// kernel 11
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const half_t* x0, const float* x1, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 2 * 128;
  const int n0 = number % 2 * 64;
  const int steps = 2, k0 = 0;
  const int a_piece = thread % 4, a_line = thread / 4;
  int a_base[4], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 32;
    const int u1 = line % 28;
    const unsigned ur1 = line / 28;
    const int u0 = ur1;
    a_base[i] = u0 * 7168 + u1 * 128;
    if (line < 6272) a_valid |= 1u << i;
  }
  const int b_piece = thread % 4, b_line = thread / 4;
  int b_base[2], b_k = k0 + b_piece * 8; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 2; i++) {
    const int line = n0 + b_line + i * 32;
    const int u0 = line;
    b_base[i] = u0 * 64;
    if (line < 128) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<64>(a_line + i * 32, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 64);
    }
    a_k += 32;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      copy_async<16>(target + 8192 + tile_place<64>(b_line + i * 32, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 64);
    }
    b_k += 32;
  };
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 64;
  const int warp_n = warp / 2 * 32;
  float sums[4][4][4];
  #pragma unroll
  for (int i = 0; i < 64; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][4][4], fb[2][4][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 12288;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<64>(first + (lane & 15), slice * 2 + (lane >> 4)));
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<64>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      #pragma unroll
      for (int j = 0; j < 4; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
  for (int i = 0; i < 4; i++) {
    #pragma unroll
    for (int j = 0; j < 4; j++) {
      float* place = staged + (warp_m + i * 16 + (lane >> 2)) * 72 + warp_n + j * 8 + (lane & 3) * 2;
      Vector<float, 2> upper, lower;
      upper.at[0] = sums[i][j][0]; upper.at[1] = sums[i][j][1];
      lower.at[0] = sums[i][j][2]; lower.at[1] = sums[i][j][3];
      store_vector(place, upper); store_vector(place + 576, lower);
    }
  }
  block_barrier();
  #pragma unroll 1
  for (int i = 0; i < 8; i += 2) {
    Vector<half_t, 8> x0_at[2];
    Vector<float, 8> x1_at[2];
    #pragma unroll
    for (int slot = 0; slot < 2; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 8, piece = index % 8 * 8;
      const int row = m0 + line, column = n0 + piece;
      if (row < 6272 && column < 128) {
        const int u0 = row;
        ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 128 + column + 0);
        ((Vector<float, 4>*)x1_at[slot].at)[0] = load_vector<4>(x1 + 0 + column + 0);
        ((Vector<float, 4>*)x1_at[slot].at)[1] = load_vector<4>(x1 + 0 + column + 4);
      }
    }
    #pragma unroll
    for (int slot = 0; slot < 2; slot++) {
      const int index = thread + (i + slot) * 128;
      const int line = index / 8, piece = index % 8 * 8;
      const int row = m0 + line, column = n0 + piece;
      if (row < 6272 && column < 128) {
        const int u0 = row;
        Vector<half_t, 8> result;
        #pragma unroll
        for (int j = 0; j < 8; j++) {
          const float e0 = (float)staged[line * 72 + piece + j];
          const float e1 = e0 + load(x1_at[slot].at[j]);
          const float e2 = (float)load(x0_at[slot].at[j]);
          const float e3 = e1 + e2;
          const float e4 = larger(e3, (0.0f));
          result.at[j] = store<half_t>(e4);
        }
        store_vector(out + u0 * 128 + column, result);
      }
    }
  }
}

// kernel 12
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 1 * 64;
  const int n0 = tile % 1 * 128;
  const int begin = 18 * rank / 1;
  const int end = 18 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 2 * 64;
        int tap = (begin) / 2;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 28;
      const int ur2 = m0 / 28;
      const int u1 = ur2 % 28;
      const int ur1 = ur2 / 28;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 2 * 64;
      int tap = (begin) / 2;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 128) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 128) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 8; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 6272 && column < 128) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 128 + column, result);
    }
  }
}

// kernel 13
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const half_t* x0, const float* x1, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 1 * 64;
  const int n0 = tile % 1 * 128;
  const int begin = 18 * rank / 1;
  const int end = 18 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 2 * 64;
        int tap = (begin) / 2;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 28;
      const int ur2 = m0 / 28;
      const int u1 = ur2 % 28;
      const int ur1 = ur2 / 28;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 2 * 64;
      int tap = (begin) / 2;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 128) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<half_t, 8> x0_at[8];
  Vector<float, 8> x1_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 128) {
      const int u0 = row;
      ((Vector<float, 4>*)x1_at[0].at)[0] = load_vector<4>(x1 + 0 + column + 0);
      ((Vector<float, 4>*)x1_at[0].at)[1] = load_vector<4>(x1 + 0 + column + 4);
    }
  }
  #pragma unroll
  for (int slot = 0; slot < 8; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 6272 && column < 128) {
      const int u0 = row;
      ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 128 + column + 0);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 8; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 6272 && column < 128) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x1_at[0].at[j]);
        const float e2 = (float)load(x0_at[slot].at[j]);
        const float e3 = e1 + e2;
        const float e4 = larger(e3, (0.0f));
        result.at[j] = store<half_t>(e4);
      }
      store_vector(out + u0 * 128 + column, result);
    }
  }
}

// kernel 14
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 36864) return;
  const int line = number % 256, piece = number / 256;
  const int o0 = line;
  const int base = o0 * 1152;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 128;
    const int ir2 = deep / 128;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 1152 + piece * 8, result);
}

// kernel 15
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 49152;
  const uint32_t full = shared + 116736;
  const uint32_t empty = full + 48;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 4 * 64;
  const int n0 = tile % 4 * 64;
  const int begin = 18 * rank / 1;
  const int end = 18 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 6; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 2 * 64;
        int tap = (begin) / 2;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 6 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 16384);
          copy_box(shared_b + stage * 8192, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 128) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 14;
      const int ur2 = m0 / 14;
      const int u1 = ur2 % 14;
      const int ur1 = ur2 / 14;
      const int u0 = ur1;
      const int p0 = u1 * 2 - 1;
      const int p1 = u2 * 2 - 1;
      int c = (begin) % 2 * 64;
      int tap = (begin) / 2;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 6) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 16384);
          copy_box(shared_b + stage * 8192, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 128) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 6) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 8 * 8;
    if (column < 256) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[32];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 8192);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 6) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 72 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 8; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 8, piece = index % 8 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 72 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 256 + column, result);
    }
  }
}

// kernel 16
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 73728) return;
  const int line = number % 256, piece = number / 256;
  const int o0 = line;
  const int base = o0 * 2304;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 256;
    const int ir2 = deep / 256;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 2304 + piece * 8, result);
}

// kernel 17
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 2, tile = blockIdx.x / 2;
  const int m0 = tile / 2 * 64;
  const int n0 = tile % 2 * 128;
  const int begin = 36 * rank / 2;
  const int end = 36 * (rank + 1) / 2;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 4 * 64;
        int tap = (begin) / 4;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 14;
      const int ur2 = m0 / 14;
      const int u1 = ur2 % 14;
      const int ur1 = ur2 / 14;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 4 * 64;
      int tap = (begin) / 4;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 256) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 256) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 32 + line % 32) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 32);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 32 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 32 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        result.at[j] = store<half_t>(e1);
      }
      store_vector(out + u0 * 256 + column, result);
    }
  }
}

// kernel 18
/* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
template <int bytes> DEVICE int tile_place(int line, int piece) {
  const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
  return line * bytes + ((piece ^ (line / group % pieces)) << 4);
}
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const half_t* x0, const float* x1, half_t* out) {
  kernel_begins();
  const int thread = threadIdx.x;
  int number = blockIdx.x;
  const int m0 = number / 4 * 64;
  const int n0 = number % 4 * 64;
  const int steps = 2, k0 = 0;
  const int a_piece = thread % 8, a_line = thread / 8;
  int a_base[4], a_k = k0 + a_piece * 8; uint32_t a_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = m0 + a_line + i * 16;
    const int u1 = line % 14;
    const unsigned ur1 = line / 14;
    const int u0 = ur1;
    a_base[i] = u0 * 7168 + u1 * 256;
    if (line < 1568) a_valid |= 1u << i;
  }
  const int b_piece = thread % 8, b_line = thread / 8;
  int b_base[4], b_k = k0 + b_piece * 8; uint32_t b_valid = 0;
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    const int line = n0 + b_line + i * 16;
    const int u0 = line;
    b_base[i] = u0 * 128;
    if (line < 256) b_valid |= 1u << i;
  }
  auto copy_tiles = [&](int stage) {
    unsigned char* target = dynamic_shared + stage * 16384;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + tile_place<128>(a_line + i * 16, a_piece), a + (a_base[i] + a_k), (a_valid >> i & 1) != 0 && a_k < 128);
    }
    a_k += 64;
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      copy_async<16>(target + 8192 + tile_place<128>(b_line + i * 16, b_piece), b + (b_base[i] + b_k), (b_valid >> i & 1) != 0 && b_k < 128);
    }
    b_k += 64;
  };
  Vector<half_t, 8> x0_at[4];
  Vector<float, 8> x1_at[4];
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      const int u0 = row;
      ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 256 + column + 0);
      ((Vector<float, 4>*)x1_at[slot].at)[0] = load_vector<4>(x1 + 0 + column + 0);
      ((Vector<float, 4>*)x1_at[slot].at)[1] = load_vector<4>(x1 + 0 + column + 4);
    }
  }
  const int lane = lane_index(), warp = warp_index();
  const int warp_m = warp % 2 * 32;
  const int warp_n = warp / 2 * 32;
  float sums[2][4][4];
  #pragma unroll
  for (int i = 0; i < 32; i++) ((float*)sums)[i] = 0.0f;
  uint32_t fa[2][2][4], fb[2][4][2];
  auto read = [&](int buffer, int stage, int slice) {
    const unsigned char* tile = dynamic_shared + stage * 16384;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_m + i * 16;
      load_matrices(fa[buffer][i], tile + tile_place<128>(first + (lane & 15), slice * 2 + (lane >> 4)));
    }
    tile += 8192;
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      const int first = warp_n + i * 16;
      uint32_t four[4];
      load_matrices(four, tile + tile_place<128>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));
      #pragma unroll
      for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];
    }
  };
  auto multiply = [&](int buffer) {
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      #pragma unroll
      for (int j = 0; j < 4; j++) mma_half(sums[i][j], fa[buffer][i], fb[buffer][j]);
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
    for (int j = 0; j < 4; j++) {
      float* place = staged + (warp_m + i * 16 + (lane >> 2)) * 72 + warp_n + j * 8 + (lane & 3) * 2;
      Vector<float, 2> upper, lower;
      upper.at[0] = sums[i][j][0]; upper.at[1] = sums[i][j][1];
      lower.at[0] = sums[i][j][2]; lower.at[1] = sums[i][j][3];
      store_vector(place, upper); store_vector(place + 576, lower);
    }
  }
  block_barrier();
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = thread + slot * 128;
    const int line = index / 8, piece = index % 8 * 8;
    const int row = m0 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)staged[line * 72 + piece + j];
        const float e1 = e0 + load(x1_at[slot].at[j]);
        const float e2 = (float)load(x0_at[slot].at[j]);
        const float e3 = e1 + e2;
        const float e4 = larger(e3, (0.0f));
        result.at[j] = store<half_t>(e4);
      }
      store_vector(out + u0 * 256 + column, result);
    }
  }
}

// kernel 19
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 2, tile = blockIdx.x / 2;
  const int m0 = tile / 2 * 64;
  const int n0 = tile % 2 * 128;
  const int begin = 36 * rank / 2;
  const int end = 36 * (rank + 1) / 2;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 4 * 64;
        int tap = (begin) / 4;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 14;
      const int ur2 = m0 / 14;
      const int u1 = ur2 % 14;
      const int ur1 = ur2 / 14;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 4 * 64;
      int tap = (begin) / 4;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 256) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 256) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 32 + line % 32) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 32);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 32 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 32 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 256 + column, result);
    }
  }
}

// kernel 20
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const half_t* x0, const float* x1, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 2, tile = blockIdx.x / 2;
  const int m0 = tile / 2 * 64;
  const int n0 = tile % 2 * 128;
  const int begin = 36 * rank / 2;
  const int end = 36 * (rank + 1) / 2;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 4 * 64;
        int tap = (begin) / 4;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 14;
      const int ur2 = m0 / 14;
      const int u1 = ur2 % 14;
      const int ur1 = ur2 / 14;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 4 * 64;
      int tap = (begin) / 4;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 256) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<half_t, 8> x0_at[4];
  Vector<float, 8> x1_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 256) {
      const int u0 = row;
      ((Vector<float, 4>*)x1_at[0].at)[0] = load_vector<4>(x1 + 0 + column + 0);
      ((Vector<float, 4>*)x1_at[0].at)[1] = load_vector<4>(x1 + 0 + column + 4);
    }
  }
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 32 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      const int u0 = row;
      ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 256 + column + 0);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 32 + line % 32) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 32);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 4; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 32 + line, column = n0 + piece;
    if (row < 1568 && column < 256) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 32 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x1_at[0].at[j]);
        const float e2 = (float)load(x0_at[slot].at[j]);
        const float e3 = e1 + e2;
        const float e4 = larger(e3, (0.0f));
        result.at[j] = store<half_t>(e4);
      }
      store_vector(out + u0 * 256 + column, result);
    }
  }
}

// kernel 21
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 147456) return;
  const int line = number % 512, piece = number / 512;
  const int o0 = line;
  const int base = o0 * 2304;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 256;
    const int ir2 = deep / 256;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 2304 + piece * 8, result);
}

// kernel 22
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 49152;
  const uint32_t full = shared + 116736;
  const uint32_t empty = full + 48;
  const int rank = blockIdx.x % 2, tile = blockIdx.x / 2;
  const int m0 = tile / 8 * 64;
  const int n0 = tile % 8 * 64;
  const int begin = 36 * rank / 2;
  const int end = 36 * (rank + 1) / 2;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 6; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 4 * 64;
        int tap = (begin) / 4;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 6 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 16384);
          copy_box(shared_b + stage * 8192, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 256) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 7;
      const int ur2 = m0 / 7;
      const int u1 = ur2 % 7;
      const int ur1 = ur2 / 7;
      const int u0 = ur1;
      const int p0 = u1 * 2 - 1;
      const int p1 = u2 * 2 - 1;
      int c = (begin) % 4 * 64;
      int tap = (begin) / 4;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 6) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 16384);
          copy_box(shared_b + stage * 8192, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 256) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 6) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 8 * 8;
    if (column < 512) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[32];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 8192);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 6) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 32 + line % 32) * 72 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 32);
  #pragma unroll
  for (int j = 0; j < 8; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 8, piece = index % 8 * 8;
    const int row = m0 + rank * 32 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 2; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 32 + line) * 72 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 512 + column, result);
    }
  }
}

// kernel 23
KERNEL(256) pack(const half_t* __restrict__ x, half_t* __restrict__ y) {
  kernel_begins();
  const int number = blockIdx.x * 256 + threadIdx.x;
  if (number >= 294912) return;
  const int line = number % 512, piece = number / 512;
  const int o0 = line;
  const int base = o0 * 4608;
  const bool inside = true;
  auto element = [&](int deep) -> half_t {
    const int i2 = deep % 512;
    const int ir2 = deep / 512;
    const int i1 = ir2 % 3;
    const int ir1 = ir2 / 3;
    const int i0 = ir1;
    const bool wanted = inside && true;
    return wanted ? x[base + i0 * 3 + i1 + i2 * 9] : store<half_t>(0.0f);
  };
  Vector<half_t, 8> result;
  #pragma unroll
  for (int j = 0; j < 8; j++) result.at[j] = element(piece * 8 + j);
  store_vector(y + line * 4608 + piece * 8, result);
}

// kernel 24
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 4, tile = blockIdx.x / 4;
  const int m0 = tile / 4 * 64;
  const int n0 = tile % 4 * 128;
  const int begin = 72 * rank / 4;
  const int end = 72 * (rank + 1) / 4;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 8 * 64;
        int tap = (begin) / 8;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 7;
      const int ur2 = m0 / 7;
      const int u1 = ur2 % 7;
      const int ur1 = ur2 / 7;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 8 * 64;
      int tap = (begin) / 8;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 512) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 512) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 16 + line % 16) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 16);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 16 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 4; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 16 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        result.at[j] = store<half_t>(e1);
      }
      store_vector(out + u0 * 512 + column, result);
    }
  }
}

// kernel 25
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[16], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %18, 0; wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15}, %16, %17, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const half_t* x0, const float* x1, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 59392;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 1, tile = blockIdx.x / 1;
  const int m0 = tile / 16 * 64;
  const int n0 = tile % 16 * 32;
  const int begin = 4 * rank / 1;
  const int end = 4 * (rank + 1) / 1;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 4 * 64;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 12288);
          copy_box(shared_b + stage * 4096, &b, full + 8 * stage, c, 0, n0);
          c += 64;
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, 0, n0);
          c += 64;
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u1 = m0 % 7;
      const int ur1 = m0 / 7;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 0;
      int c = (begin) % 4 * 64;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 12288);
          copy_box(shared_b + stage * 4096, &b, full + 8 * stage, c, 0, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p0, u0, 0);
        c += 64;
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    return;
  }
  wait_for_predecessor();
  Vector<half_t, 8> x0_at[2];
  Vector<float, 8> x1_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 4 * 8;
    if (column < 512) {
      const int u0 = row;
      ((Vector<float, 4>*)x1_at[0].at)[0] = load_vector<4>(x1 + 0 + column + 0);
      ((Vector<float, 4>*)x1_at[0].at)[1] = load_vector<4>(x1 + 0 + column + 4);
    }
  }
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      const int u0 = row;
      ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 512 + column + 0);
    }
  }
  float sums[16];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 4096);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  const uint32_t parts = shared + 49152;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 64 + line % 64) * 40 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = own;
  #pragma unroll
  for (int j = 0; j < 4; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  group_barrier(1, 128);
  const float* const partial = (const float*)(dynamic_shared + 49152);
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 4, piece = index % 4 * 8;
    const int row = m0 + rank * 64 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 1; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 64 + line) * 40 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x1_at[0].at[j]);
        const float e2 = (float)load(x0_at[slot].at[j]);
        const float e3 = e1 + e2;
        const float e4 = larger(e3, (0.0f));
        result.at[j] = store<half_t>(e4);
      }
      store_vector(out + u0 * 512 + column, result);
    }
  }
}

// kernel 26
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const float* x0, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 4, tile = blockIdx.x / 4;
  const int m0 = tile / 4 * 64;
  const int n0 = tile % 4 * 128;
  const int begin = 72 * rank / 4;
  const int end = 72 * (rank + 1) / 4;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 8 * 64;
        int tap = (begin) / 8;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 7;
      const int ur2 = m0 / 7;
      const int u1 = ur2 % 7;
      const int ur1 = ur2 / 7;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 8 * 64;
      int tap = (begin) / 8;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 512) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<float, 8> x0_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 512) {
      const int u0 = row;
      ((Vector<float, 4>*)x0_at[0].at)[0] = load_vector<4>(x0 + 0 + column + 0);
      ((Vector<float, 4>*)x0_at[0].at)[1] = load_vector<4>(x0 + 0 + column + 4);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 16 + line % 16) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 16);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 16 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 4; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 16 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x0_at[0].at[j]);
        const float e2 = larger(e1, (0.0f));
        result.at[j] = store<half_t>(e2);
      }
      store_vector(out + u0 * 512 + column, result);
    }
  }
}

// kernel 27
/* sm_90a */
/* Kernels that prepare themselves before they wait for the one before. */
#define EARLY_KERNEL(threads) KERNEL(threads)
#define CROWDED_KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define LONE_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
/* Barriers in shared memory, by address. A phase ends when all arrivals and all announced bytes are in. */
DEVICE void barrier_begin(uint32_t b, uint32_t count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(b), "r"(count)); }
DEVICE void barriers_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/* Lets the copy engine and matrix instructions see what threads stored into shared memory. */
DEVICE void shared_to_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void barrier_expect(uint32_t b, uint32_t bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(uint32_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(b) : "memory"); }
/* Waits for the end of the phase of this parity; a new barrier is in phase 0, and 1 counts as ended. */
DEVICE void barrier_wait(uint32_t b, uint32_t parity) {
  uint32_t ended;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(b), "r"(parity) : "memory");
  } while (!ended);
}
/* A barrier of `threads` threads, numbered from 1. */
DEVICE void group_barrier(int number, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(number), "r"(threads) : "memory"); }
DEVICE void prefetch_map(const tensor_map_t* m) { asm volatile("prefetch.tensormap [%0];" :: "l"(m) : "memory"); }
/* Boxes of a tensor to shared memory; innermost coordinate first; outside the tensor there are zeros. */
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z) : "memory");
}
DEVICE void copy_box(uint32_t to, const tensor_map_t* m, uint32_t b, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
    :: "r"(to), "l"(m), "r"(b), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
/* The same box to the cache only. */
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" :: "l"(m), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
DEVICE void prefetch_box(const tensor_map_t* m, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global [%0, {%1, %2, %3}];" :: "l"(m), "r"(x), "r"(y), "r"(z) : "memory");
}
/* Pixels of one tap of a window, from the pixel under the window's first tap; c, then spatial axes innermost first,
   then the image, then the tap's offsets innermost first. */
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int n, int ox) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(n), "h"((uint16_t)ox) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int n, int ox, int oy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy) : "memory");
}
DEVICE void copy_pixels(uint32_t to, const tensor_map_t* m, uint32_t b, int c, int x, int y, int z, int n, int ox, int oy, int oz) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};"
    :: "r"(to), "l"(m), "r"(b), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"((uint16_t)ox), "h"((uint16_t)oy), "h"((uint16_t)oz) : "memory");
}
/* Returns when the kernel before this one has ended; lets the one after it begin. */
DEVICE void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void let_dependents_begin() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
/* Registers of each thread of a warpgroup; all its warps call these. */
template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
template <int count> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }
/* Barrier of all threads of a cluster, in two halves. */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* An address of this block's shared memory as one of another block of the cluster. */
DEVICE uint32_t remote_address(uint32_t address, int rank) { uint32_t r; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(address), "r"(rank)); return r; }
DEVICE void store_remote(uint32_t address, float x, float y, float z, float w) { asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" :: "r"(address), "f"(x), "f"(y), "f"(z), "f"(w) : "memory"); }
/* A tile in shared memory for matrix instructions: lines of 128 bytes, swizzled, at a multiple of 1024. 2 more: the
   next 32 bytes of each line; 512 more: the next 64 lines. */
DEVICE uint64_t tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
/* The same with lines of 64 bytes, at a multiple of 512. */
DEVICE uint64_t narrow_tile_descriptor(uint32_t address) { return (uint64_t)((address & 0x3ffff) >> 4) | 1ull << 16 | 32ull << 32 | 2ull << 62; }
/* A tile of pieces of 16 bytes, eight neighbouring lines' pieces side by side; the bytes from one piece of a line to the next. */
DEVICE uint64_t plain_descriptor(uint32_t address, uint32_t leading) { return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(leading >> 4) << 16 | 8ull << 32; }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory"); }
template <int N> DEVICE void clear(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] = 0;
}
template <int N> DEVICE void add(float (&d)[N], const float (&x)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) d[i] += x[i];
}
/* Keeps reads of sums below the wait for them. */
template <int N> DEVICE void hold(float (&d)[N]) {
  #pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i]) :: "memory");
}
DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int adds) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, %64, %65, p, 1, 1, 0, 0; }"
    : "+f"(d[0]),"+f"(d[1]),"+f"(d[2]),"+f"(d[3]),"+f"(d[4]),"+f"(d[5]),"+f"(d[6]),"+f"(d[7]),"+f"(d[8]),"+f"(d[9]),"+f"(d[10]),"+f"(d[11]),"+f"(d[12]),"+f"(d[13]),"+f"(d[14]),"+f"(d[15]),"+f"(d[16]),"+f"(d[17]),"+f"(d[18]),"+f"(d[19]),"+f"(d[20]),"+f"(d[21]),"+f"(d[22]),"+f"(d[23]),"+f"(d[24]),"+f"(d[25]),"+f"(d[26]),"+f"(d[27]),"+f"(d[28]),"+f"(d[29]),"+f"(d[30]),"+f"(d[31]),"+f"(d[32]),"+f"(d[33]),"+f"(d[34]),"+f"(d[35]),"+f"(d[36]),"+f"(d[37]),"+f"(d[38]),"+f"(d[39]),"+f"(d[40]),"+f"(d[41]),"+f"(d[42]),"+f"(d[43]),"+f"(d[44]),"+f"(d[45]),"+f"(d[46]),"+f"(d[47]),"+f"(d[48]),"+f"(d[49]),"+f"(d[50]),"+f"(d[51]),"+f"(d[52]),"+f"(d[53]),"+f"(d[54]),"+f"(d[55]),"+f"(d[56]),"+f"(d[57]),"+f"(d[58]),"+f"(d[59]),"+f"(d[60]),"+f"(d[61]),"+f"(d[62]),"+f"(d[63])
    : "l"(a), "l"(b), "r"(adds));
}
/* The error function, to 7e-7 and, near 0, 1e-5 of its value: 1 - 2^-q(|x|), q fitted for the least greatest error. */
DEVICE float error_function(float x) {
  const float t = fabsf(x);
  const float q = t * fmaf(fmaf(fmaf(fmaf(0.00294415816f, t, -0.0295900442f), t, 0.148665637f), t, 0.918509364f), t, 1.62788904f);
  const float small = x * fmaf(x * x, -0.376126389f, 1.12837917f);
  const float large = copysignf(1.0f - power_of_two(-q), x);
  return t < 0.1f ? small : large;
}
#define erff error_function
/* x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - |x| * 2^-(q + 1), with the same q. */
DEVICE float fast_gaussian_unit(float x) {
  const float t = fminf(fabsf(x), 100.0f);
  const float q = fmaf(fmaf(fmaf(fmaf(fmaf(-0.00052045855f, t, 0.00739751105f), t, -0.05256124f), t, -0.459254682f), t, -1.15109138f), t, -1.0f);
  return fmaf(-t, power_of_two(q), larger(x, 0.0f));
}
#define gaussian_unit fast_gaussian_unit
EARLY_KERNEL(160) contraction(TENSOR_MAP(a), TENSOR_MAP(b), const half_t* x0, const float* x1, half_t* out) {
  const int lane = lane_index(), warp = warp_index();
  const uint32_t shared = shared_address(dynamic_shared);
  const uint32_t shared_b = shared + 32768;
  const uint32_t full = shared + 133120;
  const uint32_t empty = full + 32;
  const int rank = blockIdx.x % 4, tile = blockIdx.x / 4;
  const int m0 = tile / 4 * 64;
  const int n0 = tile % 4 * 128;
  const int begin = 72 * rank / 4;
  const int end = 72 * (rank + 1) / 4;
  if (threadIdx.x == 128) {
    prefetch_map(&a);
    prefetch_map(&b);
    for (int i = 0; i < 4; i++) {
      barrier_begin(full + 8 * i, 1);
      barrier_begin(empty + 8 * i, 4);
    }
    barriers_begun();
  }
  block_barrier();
  cluster_arrive();
  let_dependents_begin();
  if (warp_index() == 4) {
    if (lane == 0) {
      int stage = 0;
       {
        int c = (begin) % 8 * 64;
        int tap = (begin) / 8;
        int t1 = tap % 3;
        int t0 = (tap) / 3 % 3;
        for (; stage < 4 && begin + stage < end; stage++) {
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
        for (; begin + stage < end; stage++) {
          prefetch_box(&b, c, tap, n0);
          c += 64;
          if (c >= 512) {
            c = 0;
            tap++;
            if (++t1 == 3) { t1 = 0;
            t0++;
            } 
          }
        }
      }
      stage = 0;
      wait_for_predecessor();
      uint32_t phase = 1;
      const int u2 = m0 % 7;
      const int ur2 = m0 / 7;
      const int u1 = ur2 % 7;
      const int ur1 = ur2 / 7;
      const int u0 = ur1;
      const int p0 = u1 * 1 - 1;
      const int p1 = u2 * 1 - 1;
      int c = (begin) % 8 * 64;
      int tap = (begin) / 8;
      int t1 = tap % 3;
      int t0 = (tap) / 3 % 3;
      for (int step = begin; step < end; step++) {
        if (step - begin >= 4) {
          barrier_wait(empty + 8 * stage, phase);
          barrier_expect(full + 8 * stage, 24576);
          copy_box(shared_b + stage * 16384, &b, full + 8 * stage, c, tap, n0);
        }
        copy_pixels(shared + stage * 8192, &a, full + 8 * stage, c, p1, p0, u0, t1 * 1, t0 * 1);
        c += 64;
        if (c >= 512) {
          c = 0;
          tap++;
          if (++t1 == 3) { t1 = 0;
          t0++;
          } 
        }
        if (++stage == 4) { stage = 0; phase ^= 1; }
      }
    }
    warp_barrier();
    cluster_wait(); cluster_arrive(); cluster_wait();
    return;
  }
  wait_for_predecessor();
  Vector<half_t, 8> x0_at[2];
  Vector<float, 8> x1_at[1];
   {
    const int row = 0, column = n0 + threadIdx.x % 16 * 8;
    if (column < 512) {
      const int u0 = row;
      ((Vector<float, 4>*)x1_at[0].at)[0] = load_vector<4>(x1 + 0 + column + 0);
      ((Vector<float, 4>*)x1_at[0].at)[1] = load_vector<4>(x1 + 0 + column + 4);
    }
  }
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 16 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      const int u0 = row;
      ((Vector<half_t, 8>*)x0_at[slot].at)[0] = load_vector<8>(x0 + u0 * 512 + column + 0);
    }
  }
  float sums[64];
  int stage = 0, before = 0;
  uint32_t phase = 0;
  #pragma unroll 1
  for (int step = begin; step < end; step++) {
    barrier_wait(full + 8 * stage, phase);
    const uint64_t x = tile_descriptor(shared + stage * 8192);
    const uint64_t y = tile_descriptor(shared_b + stage * 16384);
    products_begin();
    multiply(sums, x + 0, y + 0, step - begin);
    multiply(sums, x + 2, y + 2, 1);
    multiply(sums, x + 4, y + 4, 1);
    multiply(sums, x + 6, y + 6, 1);
    products_commit();
    products_wait<1>();
    if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);
    before = stage;
    if (++stage == 4) { stage = 0; phase ^= 1; }
  }
  products_wait<0>();
  hold(sums);
  warp_barrier();
  cluster_wait();
  const uint32_t parts = shared + 98304;
  const bool odd = lane & 1;
  const int line = warp * 16 + (lane & 1) * 8 + lane / 4;
  const uint32_t own = parts + ((rank * 16 + line % 16) * 136 + lane % 4 / 2 * 4) * 4;
  const uint32_t at = remote_address(own, line / 16);
  #pragma unroll
  for (int j = 0; j < 16; j++) {
    const float* const four = sums + j * 4;
    const float x = shuffle_xor(odd ? four[0] : four[2], 1);
    const float y = shuffle_xor(odd ? four[1] : four[3], 1);
    store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);
  }
  cluster_arrive(); cluster_wait();
  const float* const partial = (const float*)(dynamic_shared + 98304);
  #pragma unroll
  for (int slot = 0; slot < 2; slot++) {
    const int index = threadIdx.x + slot * 128;
    const int line = index / 16, piece = index % 16 * 8;
    const int row = m0 + rank * 16 + line, column = n0 + piece;
    if (row < 392 && column < 512) {
      Vector<float, 8> total;
      #pragma unroll
      for (int j = 0; j < 8; j++) total.at[j] = 0.0f;
      #pragma unroll
      for (int part = 0; part < 4; part++) {
        #pragma unroll
        for (int quad = 0; quad < 8; quad += 4) {
          const Vector<float, 4> some = load_vector<4>(partial + (part * 16 + line) * 136 + piece + quad);
          #pragma unroll
          for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];
        }
      }
      const int u0 = row;
      Vector<half_t, 8> result;
      #pragma unroll
      for (int j = 0; j < 8; j++) {
        const float e0 = (float)total.at[j];
        const float e1 = e0 + load(x1_at[0].at[j]);
        const float e2 = (float)load(x0_at[slot].at[j]);
        const float e3 = e1 + e2;
        const float e4 = larger(e3, (0.0f));
        result.at[j] = store<half_t>(e4);
      }
      store_vector(out + u0 * 512 + column, result);
    }
  }
}

// kernel 28
typedef float State;
DEVICE State initial() { return 0; }
DEVICE void merge(State& s, State o) { s += o; }
DEVICE void add(State& s, float x, int) { merge(s, x); }
DEVICE State exchanged(State s, int mask) { return shuffle_xor(s, mask); }
DEVICE float element(float x) {
  const float e0 = (float)x;
  return e0;
}
KERNEL(256) reduce_columns(const half_t* __restrict__ x, half_t* y) {
  kernel_begins();
  const int column = threadIdx.x % 8, lane = threadIdx.x / 8;
  const int unit = blockIdx.x * 8 + column;
  const int k1 = unit % 64;
  const unsigned kr1 = unit / 64;
  const int k0 = kr1;
  State states_here[8];
  #pragma unroll
  for (int j = 0; j < 8; j++) states_here[j] = initial();
  const half_t* from = x + (k0 * 25088 + k1 * 8);
  #pragma unroll 4
  for (int i = lane; i < 49; i += 32) {
    const int g0 = i;
    const Vector<half_t, 8> v = load_vector<8>(from + (g0 * 512));
    #pragma unroll
    for (int j = 0; j < 8; j++) {
      add(states_here[j], element(load(v.at[j])), 0);
    }
  }
  SHARED State shared[32][64];
  #pragma unroll
  for (int j = 0; j < 8; j++) shared[lane][column * 8 + j] = states_here[j];
  block_barrier();
  for (int c = threadIdx.x; c < min(64, 4096 - (int)blockIdx.x * 64); c += 256) {
    State s = shared[0][c];
    #pragma unroll
    for (int i = 1; i < 32; i++) merge(s, shared[i][c]);
    const int result = blockIdx.x * 64 + c;
    const int q1 = result % 512;
    const unsigned qr1 = result / 512;
    const int q0 = qr1;
    const float value = s / (49.0f);
    y[q0 * 512 + q1] = store<half_t>(value);
  }
}

// kernel 29
KERNEL(128) contraction(const half_t* __restrict__ a, const half_t* __restrict__ b, const float* x0, float* out) {
  kernel_begins();
  const int lane = lane_index();
  const int unit = blockIdx.x * 4 + warp_index(), part = lane;
  if (unit >= 1000) return;
  const int column = unit % 1000;
  float sums[8];
  #pragma unroll
  for (int row = 0; row < 8; row++) sums[row] = 0.0f;
  const half_t* line = b + column * 512;
  #pragma unroll 2
  for (int k = part * 8; k < 512; k += 256) {
    const Vector<half_t, 8> y = load_vector<8>(line + k);
    #pragma unroll
    for (int row = 0; row < 8; row++) {
      const int u0 = row;
      const Vector<half_t, 8> x = load_vector<8>(a + u0 * 512 + k);
      #pragma unroll
      for (int j = 0; j < 8; j++) sums[row] = fmaf(load(x.at[j]), load(y.at[j]), sums[row]);
    }
  }
  #pragma unroll
  for (int row = 0; row < 8; row++) {
    #pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) sums[row] += shuffle_xor(sums[row], mask);
  }
  const int row = lane;
  if (row >= 8) return;
  float sum = sums[0];
  #pragma unroll
  for (int i = 1; i < 8; i++) if (row == i) sum = sums[i];
  Vector<float, 1> x0_at[1];
   {
     {
      const int u0 = row;
      x0_at[0].at[0] = (x0 + 0 + column)[0];
    }
    const int u0 = row;
    Vector<float, 1> result;
    #pragma unroll
    for (int j = 0; j < 1; j++) {
      const float e0 = (float)sum;
      const float e1 = e0 + load(x0_at[0].at[0]);
      result.at[j] = store<float>(e1);
    }
    store_vector(out + u0 * 1000 + column, result);
  }
}

