import KernelModel
import ProgramModel
import TensorModel

/// Running results of long lanes: a block for each lane, a few elements for each thread at a time.
///
/// Where there are few lanes, each is cut into parts; a first kernel finds what every part adds.
struct BlockScan: CUDATactic {
  private let shape: ScanShape
  private let parts: Int

  var name: String { parts == 1 ? "scan blocks" : "scan blocks in \(parts) parts" }
  private static let elementsPerThread = 4

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = ScanShape(request.step), shape.extent > 1 else { return [] }
    let wanted = ceilingQuotient(2 * request.gpu.multiprocessors, max(shape.laneCount, 1))
    let parts = min(wanted, shape.extent / 4096)
    return [BlockScan(shape: shape, parts: 1)]
      + (parts > 1 ? [BlockScan(shape: shape, parts: parts)] : [])
  }

  private var threads: Int {
    min(max(SortShape.powerOfTwo(atLeast: ceilingQuotient(shape.extent, 4)), 32), 256)
  }
  private var chunk: Int { threads * Self.elementsPerThread }
  /// Elements of a part: whole chunks.
  private var partExtent: Int {
    ceilingQuotient(ceilingQuotient(shape.extent, parts), chunk) * chunk
  }

  func estimate(_ request: CUDARequest) -> Double {
    let resident = request.gpu.multiprocessors * min(2048 / threads, 16)
    let waves = Double(ceilingQuotient(shape.laneCount * parts, resident))
    let chunks = Double(ceilingQuotient(ceilingQuotient(shape.extent, parts), chunk))
    let once = max(
      request.trafficSeconds, request.launchSeconds + waves * (1e-6 + chunks * 1.0e-6))
    return parts == 1 ? once : 1.6 * once
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let grid = GridSize(shape.laneCount * parts)
    let scan = KernelLaunch(
      KernelSource(entry: "scan_blocks", body: scanText), grid: grid, threads: threads,
      arguments: shape.arguments + (parts > 1 ? [.workspace(0)] : []))
    if parts == 1 { return StepPlan(launches: [scan]) }
    let totals = KernelLaunch(
      KernelSource(entry: "scan_totals", body: totalsText), grid: grid, threads: threads,
      arguments: [.input(0), .workspace(0)])
    return StepPlan(
      launches: [totals, scan], workspaceBytes: shape.laneCount * parts * 8)
  }

  private var type: String { shape.accumulator }
  private var warps: Int { threads / 32 }

  /// A function that combines a number of every thread of a block.
  private var reduction: String {
    """
    DEVICE \(type) block_total(\(type) x) {
      SHARED \(type) partial[\(warps)];
      for (int i = 16; i > 0; i /= 2) x = x \(shape.sign) shuffle_xor(x, i);
      if (lane_index() == 0) partial[warp_index()] = x;
      block_barrier();
      \(type) total = \(shape.neutral);
      for (int i = 0; i < \(warps); i++) total = total \(shape.sign) partial[i];
      block_barrier();
      return total;
    }

    """
  }

  /// What each part of a lane adds.
  private var totalsText: String {
    var text = KernelText()
    text.line(reduction)
    let x = shape.parameters[0]
    text.block("KERNEL(\(threads)) scan_totals(\(x), \(type)* __restrict__ totals)") { text in
      text.line(
        """
        const int lane = blockIdx.x / \(parts), first = blockIdx.x % \(parts) * \(partExtent);
        const int last = min(first + \(partExtent), \(shape.extent));
        """)
      text.lines(shape.places(of: "lane"))
      text.line(
        """
        \(type) total = \(shape.neutral);
        for (int i = first + threadIdx.x; i < last; i += \(threads)) total = total \(shape.sign) \(shape.element("i"));
        total = block_total(total);
        if (threadIdx.x == 0) totals[blockIdx.x] = total;
        """)
    }
    return text.text
  }

  private var scanText: String {
    var text = KernelText()
    if parts > 1 { text.line(reduction) }
    let parameters =
      shape.parameters + (parts > 1 ? ["const \(type)* __restrict__ totals"] : [])
    text.block("KERNEL(\(threads)) scan_blocks(\(parameters.joined(separator: ", ")))") { text in
      text.line("SHARED \(type) sums[\(warps)];")
      if parts > 1 {
        text.line(
          """
          const int lane = blockIdx.x / \(parts), part = blockIdx.x % \(parts), first = part * \(partExtent);
          const int last = min(first + \(partExtent), \(shape.extent));
          \(type) carry = \(shape.neutral);
          for (int i = threadIdx.x; i < part; i += \(threads)) carry = carry \(shape.sign) totals[blockIdx.x - part + i];
          carry = block_total(carry);
          """)
      } else {
        text.line("const int lane = blockIdx.x, first = 0, last = \(shape.extent);")
        text.line("\(type) carry = \(shape.neutral);")
      }
      text.lines(shape.places(of: "lane"))
      text.block("for (int from = first; from < last; from += \(chunk))") { chunk(&$0) }
    }
    return text.text
  }

  /// Scans one chunk: within a thread, across a warp, across the block.
  private func chunk(_ text: inout KernelText) {
    let n = Self.elementsPerThread
    text.line(
      """
      \(type) values[\(n)], own = \(shape.neutral);
      const int place = from + threadIdx.x * \(n);
      #pragma unroll
      for (int i = 0; i < \(n); i++) values[i] = place + i < last ? \(shape.element("(place + i)")) : \(shape.neutral);
      #pragma unroll
      for (int i = 0; i < \(n); i++) own = own \(shape.sign) values[i];
      \(type) before = own;
      #pragma unroll
      for (int i = 1; i < 32; i *= 2) {
        const \(type) other = shuffle_up(before, i);
        if (lane_index() >= i) before = other \(shape.sign) before;
      }
      if (lane_index() == 31) sums[warp_index()] = before;
      before = shuffle_up(before, 1);
      if (lane_index() == 0) before = \(shape.neutral);
      block_barrier();
      \(type) total = carry;
      #pragma unroll
      for (int i = 0; i < \(warps); i++) {
        if (i == warp_index()) before = total \(shape.sign) before;
        total = total \(shape.sign) sums[i];
      }
      carry = total;
      block_barrier();
      """)
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(n); i++)") { text in
      text.line("if (place + i >= last) break;")
      let store = shape.store("before", "(place + i)")
      let add = "before = before \(shape.sign) values[i];"
      text.lines(shape.problem.isExclusive ? [store, add] : [add, store])
    }
  }
}
