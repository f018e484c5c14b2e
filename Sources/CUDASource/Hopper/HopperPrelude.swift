import KernelModel
import TensorModel

/// What the bodies of Hopper's kernels begin with: the instructions that only this generation has, each
/// as a function.
///
/// Source: PTX ISA, sections "Asynchronous Warpgroup Level Matrix Instructions", "Data Movement and
/// Conversion Instructions" and "Parallel Synchronization and Communication Instructions".
enum HopperPrelude {
  /// - Parameters:
  ///   - columns: of the matrix instruction, a multiple of 8.
  ///   - rowsInRegisters: whether a passes through registers, by default where its numbers are divided there.
  static func text(
    _ contraction: Contraction, columns: Int, rowsInRegisters: Bool? = nil
  ) -> String {
    let inRegisters = rowsInRegisters ?? (contraction.type == .float32)
    let isByte = contraction.type.isByte
    return "/* sm_90a */\n" + barriers + copies + launches + (isByte ? integerStores : "")
      + products(isByte ? ("int32_t", "r") : ("float", "f"))
      + multiply(contraction, columns, inRegisters)
      + (contraction.type.byteCount <= 2 ? functions : "")
  }

  private static let barriers = #"""
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

    """#

  private static let copies = #"""
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

    """#

  private static let launches = #"""
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

    """#

  private static let integerStores = #"""
    DEVICE void store_remote(uint32_t address, int32_t x, int32_t y, int32_t z, int32_t w) { asm volatile("st.shared::cluster.v4.b32 [%0], {%1, %2, %3, %4};" :: "r"(address), "r"(x), "r"(y), "r"(z), "r"(w) : "memory"); }

    """#

  /// - Parameter sum: the type of sums, and the letter that assembly has for its registers.
  private static func products(_ sum: (type: String, letter: String)) -> String {
    #"""
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
    template <int N> DEVICE void clear(\#(sum.type) (&d)[N]) {
      #pragma unroll
      for (int i = 0; i < N; i++) d[i] = 0;
    }
    template <int N> DEVICE void add(\#(sum.type) (&d)[N], const \#(sum.type) (&x)[N]) {
      #pragma unroll
      for (int i = 0; i < N; i++) d[i] += x[i];
    }
    /* Keeps reads of sums below the wait for them. */
    template <int N> DEVICE void hold(\#(sum.type) (&d)[N]) {
      #pragma unroll
      for (int i = 0; i < N; i++) asm volatile("" : "+\#(sum.letter)"(d[i]) :: "memory");
    }

    """#
  }

  /// For results of 16 bits: no branches, so that a lane computes several side by side.
  private static let functions = #"""
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

    """#

  /// `d = a * b + d`, or without the last part: 64 rows of a, so many of b, 32 bytes of both.
  private static func multiply(
    _ contraction: Contraction, _ columns: Int, _ rowsInRegisters: Bool
  ) -> String {
    let count = columns / 2
    let type = contraction.type
    let name =
      switch type {
      case .int8, .uint8: "k32.s32.\(type.byteName).\(contraction.columnType.byteName)"
      case .float16: "k16.f32.f16.f16"
      // Or numbers in two such parts.
      default: "k16.f32.bf16.bf16"
      }
    // Integers have no signs to change, and only elements in shared memory an order.
    let options = type.isByte ? "" : rowsInRegisters ? ", 1, 1, 0" : ", 1, 1, 0, 0"
    let sum = contraction.epilogue.sumStorage, letter = type.isByte ? "r" : "f"
    let rows = rowsInRegisters ? 4 : 1
    let registers = (0..<count).map { "%\($0)" }.joined(separator: ",")
    let operands = (0..<count).map { "\"+\(letter)\"(d[\($0)])" }.joined(separator: ",")
    let a = rows == 1 ? "uint64_t a" : "const uint32_t (&a)[4]"
    let places = (count..<count + rows).map { "%\($0)" }.joined(separator: ",")
    let values =
      rows == 1 ? "\"l\"(a)" : (0..<4).map { "\"r\"(a[\($0)])" }.joined(separator: ", ")
    return """
      DEVICE void multiply(\(sum) (&d)[\(count)], \(a), uint64_t b, int adds) {
        asm volatile("{ .reg .pred p; setp.ne.b32 p, %\(count + rows + 1), 0; wgmma.mma_async.sync.aligned.m64n\(columns)\(name) "
          "{\(registers)}, \(rows == 1 ? places : "{\(places)}"), %\(count + rows), p\(options); }"
          : \(operands)
          : \(values), "l"(b), "r"(adds));
      }

      """
  }
}
