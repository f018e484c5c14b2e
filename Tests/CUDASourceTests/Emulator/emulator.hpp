// A host's version of what kernels expect from a GPU: every thread of a block is a fiber; barriers and
// warp functions wait for the others. Asynchronous copies happen as late as the kernel allows.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <ucontext.h>
#include <vector>

#define int64_t long long
#define uint64_t unsigned long long
#define DEVICE static inline
#define KERNEL(threads) extern "C" void
#define SHARED static
#define __restrict__

struct Index3 { unsigned x, y, z; };
static Index3 threadIdx, blockIdx, blockDim, gridDim;

static inline float __int_as_float(int x) { float r; memcpy(&r, &x, 4); return r; }
static inline int __float_as_int(float x) { int r; memcpy(&r, &x, 4); return r; }
static inline long long __double_as_longlong(double x) { long long r; memcpy(&r, &x, 8); return r; }
static inline double __longlong_as_double(long long x) { double r; memcpy(&r, &x, 8); return r; }
#define INFINITY_F __int_as_float(0x7f800000)
#define NAN_F __int_as_float(0x7fc00000)
#define INFINITY_D __longlong_as_double(0x7ff0000000000000ll)
#define NAN_D __longlong_as_double(0x7ff8000000000000ll)

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }

alignas(1024) static unsigned char dynamic_shared[256 * 1024];

namespace emulator {
struct Copy { void* to; const void* from; int bytes; bool wanted; };
struct Fiber {
  ucontext_t context;
  bool done = true;
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
};
struct Meeting { int arrived = 0, generation = 0; };
struct Warp { Meeting meeting; uint32_t slots[32][8]; const void* rows[32]; };
static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
static char* stacks;  // only the pages that fibers touch take memory
static Meeting block;
static ucontext_t scheduler;
static int current, alive;
static std::vector<int> alive_in_warp;
static void (*kernel)(void**);
static void** arguments;
static long progress;

static void yield() {
  int self = current;
  swapcontext(&fibers[self].context, &scheduler);
}
static void meet(Meeting& m, int& expected) {
  int generation = m.generation;
  progress++;
  if (++m.arrived == expected) { m.arrived = 0; m.generation++; return; }
  while (m.generation == generation) yield();
}
static void leave(Meeting& m, int expected) {
  if (expected > 0 && m.arrived == expected) { m.arrived = 0; m.generation++; }
}
static Warp& warp() { return warps[current / 32]; }
static void meet_warp() { meet(warp().meeting, alive_in_warp[current / 32]); }
static void thread_main() {
  kernel(arguments);
  Fiber& fiber = fibers[current];
  fiber.done = true;
  progress++;
  leave(block, --alive);
  int w = current / 32;
  leave(warps[w].meeting, --alive_in_warp[w]);
  swapcontext(&fiber.context, &scheduler);
}
static const int stack_bytes = 128 * 1024;

static int run_block(int threads) {
  fibers.assign(threads, Fiber());
  warps.assign((threads + 31) / 32, Warp());
  alive_in_warp.assign(warps.size(), 0);
  if (!stacks) stacks = (char*)malloc(1024 * (size_t)stack_bytes);
  memset(dynamic_shared, 0xFF, sizeof dynamic_shared);
  block = Meeting();
  alive = threads;
  for (int t = 0; t < threads; t++) {
    alive_in_warp[t / 32]++;
    fibers[t].done = false;
    getcontext(&fibers[t].context);
    fibers[t].context.uc_stack.ss_sp = stacks + (size_t)t * stack_bytes;
    fibers[t].context.uc_stack.ss_size = stack_bytes;
    fibers[t].context.uc_link = &scheduler;
    makecontext(&fibers[t].context, (void (*)())thread_main, 0);
  }
  for (int left = 1; left > 0;) {
    left = 0;
    long before = progress;
    for (int t = 0; t < threads; t++) {
      if (fibers[t].done) continue;
      left++;
      current = t;
      threadIdx = {(unsigned)t, 0, 0};
      swapcontext(&scheduler, &fibers[t].context);
    }
    if (left > 0 && progress == before) return 1;
  }
  return 0;
}
}  // namespace emulator

// Runs a kernel; 0: done, 1: threads wait for each other for ever.
extern "C" int emulate(void (*kernel)(void**), void** arguments, int gx, int gy, int gz, int threads) {
  emulator::kernel = kernel;
  emulator::arguments = arguments;
  gridDim = {(unsigned)gx, (unsigned)gy, (unsigned)gz};
  blockDim = {(unsigned)threads, 1, 1};
  for (int z = 0; z < gz; z++)
    for (int y = 0; y < gy; y++)
      for (int x = 0; x < gx; x++) {
        blockIdx = {(unsigned)x, (unsigned)y, (unsigned)z};
        if (emulator::run_block(threads)) return 1;
      }
  return 0;
}

// MARK: conversions

static inline double rounded_product(double x, double y) { return x * y; }
static inline double rounded_sum(double x, double y) { return x + y; }
static inline void kernel_begins() {}
static inline float half_to_float(uint16_t x) { _Float16 h; memcpy(&h, &x, 2); return (float)h; }
static inline uint16_t float_to_half(float x) { _Float16 h = (_Float16)x; uint16_t r; memcpy(&r, &h, 2); return r; }
static inline float bfloat_to_float(uint16_t x) { return __int_as_float((int)((uint32_t)x << 16)); }
static inline uint16_t float_to_bfloat(float x) {
  if (x != x) return 0x7fff;
  uint32_t b = (uint32_t)__float_as_int(x);
  return (uint16_t)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}
static inline uint32_t floats_to_halves(float a, float b) { return float_to_half(a) | (uint32_t)float_to_half(b) << 16; }
static inline uint32_t floats_to_bfloats(float a, float b) { return float_to_bfloat(a) | (uint32_t)float_to_bfloat(b) << 16; }
static inline float power_of_two(float x) { return exp2f(x); }

static inline float larger(float x, float y) { return x != x || x > y ? x : y; }
static inline float smaller(float x, float y) { return x != x || x < y ? x : y; }
static inline double smaller(double x, double y) { return x != x || x < y ? x : y; }
static inline int nearest_integer(float x) {
  float r = rintf(x);
  return r >= 2147483648.0f ? 2147483647 : r < -2147483648.0f ? -2147483647 - 1 : r == r ? (int)r : 0;
}
static inline double larger(double x, double y) { return x != x || x > y ? x : y; }

// MARK: warps

static inline int lane_index() { return threadIdx.x & 31; }
static inline int warp_index() { return threadIdx.x >> 5; }
static inline void block_barrier() { emulator::meet(emulator::block, emulator::alive); }
static inline void warp_barrier() { emulator::meet_warp(); }
static inline void global_fence() {}

template <class T> static inline T exchange(T x, int source) {
  memcpy(emulator::warp().slots[lane_index()], &x, sizeof x);
  warp_barrier();
  T r = x;
  if (source >= 0 && source < 32) memcpy(&r, emulator::warp().slots[source], sizeof r);
  warp_barrier();
  return r;
}
template <class T> static inline T shuffle_xor(T x, int mask) { return exchange(x, lane_index() ^ mask); }
template <class T> static inline T shuffle_down(T x, int delta) { return exchange(x, lane_index() + delta); }
template <class T> static inline T shuffle_up(T x, int delta) { return exchange(x, lane_index() - delta); }
template <class T> static inline T shuffle_from(T x, int lane) { return exchange(x, lane & 31); }
static inline uint32_t ballot(bool x) {
  emulator::warp().slots[lane_index()][0] = x;
  warp_barrier();
  uint32_t r = 0;
  for (int i = 0; i < 32; i++) r |= (emulator::warp().slots[i][0] & 1u) << i;
  warp_barrier();
  return r;
}
static inline float atomic_add(float* p, float x) { float r = *p; *p = r + x; return r; }
static inline int atomic_add(int* p, int x) { int r = *p; *p = (int)((unsigned)r + (unsigned)x); return r; }
static inline void atomic_maximum(uint32_t* p, uint32_t x) { if (*p < x) *p = x; }
static inline uint32_t atomic_compare_exchange(uint32_t* p, uint32_t e, uint32_t x) { uint32_t r = *p; if (r == e) *p = x; return r; }
static inline uint64_t atomic_compare_exchange(uint64_t* p, uint64_t e, uint64_t x) { uint64_t r = *p; if (r == e) *p = x; return r; }

// MARK: vectors, as on the machine, with their alignment checked

template <class T, int N> struct alignas(sizeof(T) * N) Vector { T at[N]; };
static inline void check_alignment(const void* p, size_t bytes) {
  if ((uintptr_t)p % bytes != 0) { fprintf(stderr, "misaligned access of %zu bytes\n", bytes); abort(); }
}
template <int N, class T> static inline Vector<T, N> load_vector(const T* p) {
  check_alignment(p, sizeof(T) * N);
  Vector<T, N> v;
  memcpy(&v, p, sizeof v);
  return v;
}
template <int N, class T> static inline void store_vector(T* p, Vector<T, N> v) {
  check_alignment(p, sizeof(T) * N);
  memcpy(p, &v, sizeof v);
}

// MARK: matrices

template <class S, class F> static inline void multiply(S (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], F element) {
  emulator::Warp& w = emulator::warp();
  int lane = lane_index();
  memcpy(w.slots[lane], a, 16);
  memcpy(w.slots[lane] + 4, b, 8);
  warp_barrier();
  for (int i = 0; i < 4; i++) {
    int row = lane / 4 + (i / 2) * 8, column = (lane % 4) * 2 + i % 2;
    d[i] += element(w, row, column);
  }
  warp_barrier();
}
template <class F> static inline float product16(emulator::Warp& w, int row, int column, F convert) {
  float sum = 0;
  for (int k = 0; k < 16; k++) {
    uint32_t x = w.slots[(row % 8) * 4 + (k % 8) / 2][row / 8 + 2 * (k / 8)];
    uint32_t y = w.slots[column * 4 + (k % 8) / 2][4 + k / 8];
    sum += convert((uint16_t)(k % 2 ? x >> 16 : x)) * convert((uint16_t)(k % 2 ? y >> 16 : y));
  }
  return sum;
}
static inline void mma_half(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  multiply(d, a, b, [](emulator::Warp& w, int r, int c) { return product16(w, r, c, half_to_float); });
}
static inline void mma_bfloat(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  multiply(d, a, b, [](emulator::Warp& w, int r, int c) { return product16(w, r, c, bfloat_to_float); });
}
static inline void mma_short_bfloat(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  const uint32_t a[4] = {a0, a1, 0, 0}, columns[2] = {b, 0};
  mma_bfloat(d, a, columns);
}
template <class A, class B> static inline void mma_bytes(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  multiply(d, a, b, [](emulator::Warp& w, int row, int column) {
    int sum = 0;
    for (int k = 0; k < 32; k++) {
      uint32_t x = w.slots[(row % 8) * 4 + (k % 16) / 4][row / 8 + 2 * (k / 16)];
      uint32_t y = w.slots[column * 4 + (k % 16) / 4][4 + k / 16];
      sum += (int)(A)(x >> 8 * (k % 4)) * (int)(B)(y >> 8 * (k % 4));
    }
    return sum;
  });
}
#define BYTE_PRODUCT(name, A, B) \
  static inline void name(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bytes<A, B>(d, a, b); }
BYTE_PRODUCT(mma_u8_u8, uint8_t, uint8_t)
BYTE_PRODUCT(mma_u8_s8, uint8_t, int8_t)
BYTE_PRODUCT(mma_s8_u8, int8_t, uint8_t)
BYTE_PRODUCT(mma_s8_s8, int8_t, int8_t)
template <bool transposed> static inline void load_fragments(uint32_t (&r)[4], const void* row) {
  emulator::Warp& w = emulator::warp();
  int lane = lane_index();
  check_alignment(row, 16);
  w.rows[lane] = row;
  warp_barrier();
  for (int m = 0; m < 4; m++) {
    uint32_t pair = 0;
    for (int i = 0; i < 2; i++) {
      int line = transposed ? (lane % 4) * 2 + i : lane / 4;
      int place = transposed ? lane / 4 : (lane % 4) * 2 + i;
      uint16_t element;
      memcpy(&element, (const char*)w.rows[m * 8 + line] + 2 * place, 2);
      pair |= (uint32_t)element << (16 * i);
    }
    r[m] = pair;
  }
  warp_barrier();
}
static inline void load_matrices(uint32_t (&r)[4], const void* row) { load_fragments<false>(r, row); }
static inline void load_matrices_transposed(uint32_t (&r)[4], const void* row) { load_fragments<true>(r, row); }

template <int bytes> static inline void copy_async(void* to, const void* from, bool wanted) {
  check_alignment(to, bytes);
  if (wanted) check_alignment(from, bytes);
  emulator::fibers[emulator::current].open.push_back({to, from, bytes, wanted});
}
static inline void copy_async_commit() {
  emulator::Fiber& f = emulator::fibers[emulator::current];
  f.groups.push_back(f.open);
  f.open.clear();
}
template <int pending> static inline void copy_async_wait() {
  emulator::Fiber& f = emulator::fibers[emulator::current];
  while ((int)f.groups.size() > pending) {
    for (auto& c : f.groups.front()) {
      if (c.wanted) memcpy(c.to, c.from, c.bytes);
      else memset(c.to, 0, c.bytes);
    }
    f.groups.pop_front();
  }
}
