/// What every kernel begins with: types, conversions and the few machine instructions that kernels use,
/// each as a function. A kernel's own text holds no assembly, so that it also compiles for a host that
/// provides what `machine` declares.
package enum Prelude {
  package static let text = machine + portable

  /// What only a GPU's compiler understands.
  static let machine = attributes + types + instructions + warps + matrices + byteMatrices

  /// The rest, in terms of the machine's functions.
  package static let portable = conversions + DividedNumbers.text + integers + atomics + copies

  private static let attributes = #"""
    #define DEVICE __device__ __forceinline__
    #define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
    #define SHARED __shared__
    #define TENSOR_MAP(name) const __grid_constant__ tensor_map_t name
    extern __shared__ __align__(1024) unsigned char dynamic_shared[];

    """#

  /// Element types; part of the machine because hosts have their own names for integers.
  private static let types = #"""
    typedef signed char int8_t;
    typedef unsigned char uint8_t;
    typedef short int16_t;
    typedef unsigned short uint16_t;
    typedef int int32_t;
    typedef unsigned int uint32_t;
    typedef long long int64_t;
    typedef unsigned long long uint64_t;
    #define INFINITY_F __int_as_float(0x7f800000)
    #define NAN_F __int_as_float(0x7fc00000)
    #define INFINITY_D __longlong_as_double(0x7ff0000000000000ll)
    #define NAN_D __longlong_as_double(0x7ff8000000000000ll)

    struct alignas(64) tensor_map_t { uint64_t opaque[16]; };
    /* Several elements moved at once; addresses are multiples of their size together. */
    template <class T, int N> struct alignas(sizeof(T) * N) Vector { T at[N]; };
    template <int N, class T> DEVICE Vector<T, N> load_vector(const T* p) { return *(const Vector<T, N>*)p; }
    template <int N, class T> DEVICE void store_vector(T* p, Vector<T, N> v) { *(Vector<T, N>*)p = v; }

    """#

  private static let instructions = #"""
    /* Where kernels overlap: lets the kernel after this one begin, and returns when the one before has ended. */
    DEVICE void kernel_begins() {
    #if __CUDA_ARCH__ >= 900
      asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
      asm volatile("griddepcontrol.wait;" ::: "memory");
    #endif
    }
    /* Products and sums that are each rounded, never made into one multiply-add. */
    DEVICE double rounded_product(double x, double y) { return __dmul_rn(x, y); }
    DEVICE double rounded_sum(double x, double y) { return __dadd_rn(x, y); }
    DEVICE float half_to_float(uint16_t x) { float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x)); return r; }
    DEVICE uint16_t float_to_half(float x) { uint16_t r; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x)); return r; }
    DEVICE float bfloat_to_float(uint16_t x) { return __int_as_float((int)((uint32_t)x << 16)); }
    DEVICE uint16_t float_to_bfloat(float x) { uint16_t r; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x)); return r; }
    /* Two floats to two 16-bit elements; the first in the lower half. */
    DEVICE uint32_t floats_to_halves(float a, float b) { uint32_t r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a)); return r; }
    DEVICE uint32_t floats_to_bfloats(float a, float b) { uint32_t r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a)); return r; }
    /* The larger number; NaN where either is. */
    DEVICE float larger(float x, float y) { float r; asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); return r; }
    DEVICE double larger(double x, double y) { return x != x || x > y ? x : y; }
    DEVICE float smaller(float x, float y) { float r; asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); return r; }
    DEVICE double smaller(double x, double y) { return x != x || x < y ? x : y; }
    /* The nearest integer, the even one of two, clamped to 32 bits; NaN gives 0. */
    DEVICE int32_t nearest_integer(float x) { int32_t r; asm("cvt.rni.s32.f32 %0, %1;" : "=r"(r) : "f"(x)); return r; }
    /* 2 to the power of x, to about 22 bits; tiny results are zero. */
    DEVICE float power_of_two(float x) { float r; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }

    """#

  private static let conversions = #"""
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
    /* A vector that is moved in several pieces. */
    template <int N, int piece, class T> DEVICE Vector<T, N> load_pieces(const T* p) {
      Vector<T, N> v;
      for (int i = 0; i < N; i += piece) *(Vector<T, piece>*)(v.at + i) = load_vector<piece>(p + i);
      return v;
    }
    /* The first `count` elements of a vector that may not be whole. */
    template <int N, class T> DEVICE Vector<T, N> load_partial(const T* p, int count) {
      Vector<T, N> v;
      for (int j = 0; j < N; j++) if (j < count) v.at[j] = p[j];
      return v;
    }
    template <int N, class T> DEVICE void store_partial(T* p, Vector<T, N> v, int count) {
      for (int j = 0; j < N; j++) if (j < count) p[j] = v.at[j];
    }

    """#

  private static let integers = #"""
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

    """#

  private static let atomics = #"""
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

    """#

  private static let copies = #"""
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

    """#

  private static let warps = #"""
    DEVICE int lane_index() { return threadIdx.x & 31; }
    DEVICE int warp_index() { return threadIdx.x >> 5; }
    template <class T> DEVICE T shuffle_xor(T x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
    template <class T> DEVICE T shuffle_down(T x, int delta) { return __shfl_down_sync(0xffffffffu, x, delta); }
    template <class T> DEVICE T shuffle_up(T x, int delta) { return __shfl_up_sync(0xffffffffu, x, delta); }
    template <class T> DEVICE T shuffle_from(T x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
    DEVICE uint32_t ballot(bool x) { return __ballot_sync(0xffffffffu, x); }
    DEVICE void block_barrier() { __syncthreads(); }
    DEVICE void warp_barrier() { __syncwarp(); }
    /* Makes a block's writes to global memory visible to other blocks. */
    DEVICE void global_fence() { __threadfence(); }
    DEVICE float atomic_add(float* p, float x) { return atomicAdd(p, x); }
    DEVICE int32_t atomic_add(int32_t* p, int32_t x) { return atomicAdd(p, x); }
    DEVICE void atomic_maximum(uint32_t* p, uint32_t x) { atomicMax(p, x); }
    DEVICE uint32_t atomic_compare_exchange(uint32_t* p, uint32_t expected, uint32_t x) { return atomicCAS(p, expected, x); }
    DEVICE uint64_t atomic_compare_exchange(uint64_t* p, uint64_t expected, uint64_t x) { return atomicCAS(p, expected, x); }

    """#

  private static let matrices = #"""
    /* d += a * b on a warp: a 16 x 16 (row), b 16 x 8 (column), fragments as mma.m16n8k16 defines them. */
    DEVICE void mma_half(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    DEVICE void mma_bfloat(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    /* a 16 x 8 (row), b 8 x 8 (column). */
    DEVICE void mma_short_bfloat(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
      asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a0), "r"(a1), "r"(b));
    }
    DEVICE uint32_t shared_address(const void* p) { return (uint32_t)__cvta_generic_to_shared(p); }
    /* Four 8 x 8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8. */
    DEVICE void load_matrices(uint32_t (&r)[4], const void* row) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
    }
    DEVICE void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
    }
    /* Bytes (4, 8 or 16) from global to shared memory without waiting; zeros where not wanted. */
    template <int bytes> DEVICE void copy_async(void* shared, const void* global, bool wanted) {
      int size = wanted ? bytes : 0;
      if (bytes == 16) asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(shared)), "l"(global), "r"(size) : "memory");
      else asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" :: "r"(shared_address(shared)), "l"(global), "n"(bytes), "r"(size) : "memory");
    }
    DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
    /* Waits until at most `pending` of this thread's groups are unfinished. */
    template <int pending> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(pending) : "memory"); }

    """#

  /// `d += a * b` on a warp of 8-bit integers: a 16 x 32 (row), b 32 x 8 (column); fragments are those of
  /// 16-bit elements, with two bytes in the place of each.
  private static let byteMatrices =
    ["u8", "s8"].flatMap { a in ["u8", "s8"].map { byteProduct(a, $0) } }.joined() + "\n"

  private static func byteProduct(_ a: String, _ b: String) -> String {
    #"""
    DEVICE void mma_\#(a)_\#(b)(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
      asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.\#(a).\#(b).s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }

    """#
  }
}
