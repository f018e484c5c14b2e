import KernelModel
import ProgramModel

/// The first few elements of long lanes: finds the last item wanted, byte by byte from the highest, then
/// sorts only those up to it.
///
/// Where there are few lanes, each is cut into parts; every part's first elements are candidates.
struct SelectSort: CUDATactic {
  private let shape: SortShape
  private let parts: Int

  var name: String { parts == 1 ? "sort select" : "sort select in \(parts) parts" }
  private static let limit = 2048
  private static let partExtent = 8192

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = SortShape(request.step), shape.count <= limit, shape.count > 0,
      shape.extent >= 512, shape.count * 2 <= shape.extent
    else { return [] }
    let parts = ceilingQuotient(shape.extent, partExtent)
    let split =
      (2...4096).contains(parts) && shape.count * 4 <= partExtent
      ? [SelectSort(shape: shape, parts: parts)] : []
    return [SelectSort(shape: shape, parts: 1)] + split
  }

  private var threads: Int { shape.extent / parts >= 4096 ? 1024 : 256 }
  private var size: Int { SortShape.powerOfTwo(atLeast: max(shape.count, 2)) }
  private var itemsPerPart: Int { ceilingQuotient(shape.extent, parts) }

  func estimate(_ request: CUDARequest) -> Double {
    func select(_ blocks: Int, _ items: Int) -> Double {
      let waves = Double(ceilingQuotient(blocks, request.gpu.multiprocessors * 2048 / threads))
      return request.launchSeconds + waves * 5
        * (1.5e-6 + Double(items) / Double(threads) * 0.03e-6)
    }
    let stages = size.trailingZeroBitCount * (size.trailingZeroBitCount + 1) / 2
    let sorting = Double(stages) * 0.06e-6
    let first = select(shape.laneCount * parts, itemsPerPart)
    return parts == 1
      ? first + sorting : first + select(shape.laneCount, parts * shape.count) + sorting
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let bytes = size * shape.itemBytes
    let last = KernelLaunch(
      KernelSource(entry: "select_items", body: selectText(readsItems: parts > 1, sorts: true)),
      grid: GridSize(shape.laneCount), threads: threads, sharedBytes: bytes,
      arguments: shape.arguments + (parts > 1 ? [.workspace(0)] : []))
    if parts == 1 { return StepPlan(launches: [last]) }
    let first = KernelLaunch(
      KernelSource(entry: "select_items", body: selectText(readsItems: false, sorts: false)),
      grid: GridSize(shape.laneCount * parts), threads: threads,
      arguments: [.input(0), .workspace(0)])
    return StepPlan(
      launches: [first, last],
      workspaceBytes: shape.laneCount * parts * shape.count * shape.itemBytes)
  }

  /// - Parameters:
  ///   - readsItems: the items are candidates in the workspace, not x.
  ///   - sorts: stores the sorted results, not candidates.
  private func selectText(readsItems: Bool, sorts: Bool) -> String {
    var text = KernelText()
    text.line(shape.functions)
    text.line(digits)
    if sorts { text.line(SortShape.bitonic(threads: threads)) }
    let x = "const \(shape.storage)* __restrict__ x"
    let parameters =
      sorts
      ? shape.parameters + (readsItems ? ["const item_t* __restrict__ candidates"] : [])
      : [x, "item_t* __restrict__ candidates"]
    text.block("KERNEL(\(threads)) select_items(\(parameters.joined(separator: ", ")))") { text in
      text.line("SHARED int32_t histogram[256], found[3], taken;")
      text.line(
        sorts
          ? """
          const int lane = blockIdx.x;
          item_t* const items = (item_t*)dynamic_shared;
          """
          : """
          const int lane = blockIdx.x / \(parts), first = blockIdx.x % \(parts) * \(itemsPerPart);
          item_t* const items = candidates + (int64_t)blockIdx.x * \(shape.count);
          """)
      text.lines(shape.places(of: "lane"))
      let item: String
      if readsItems {
        text.line(
          "const item_t* const offered = candidates + (int64_t)lane * \(parts * shape.count);")
        text.line("const int extent = \(parts * shape.count);")
        item = "offered[i]"
      } else if sorts {
        text.line("const int extent = \(shape.extent);")
        item = shape.item("i")
      } else {
        text.line("const int extent = min(\(shape.extent) - first, \(itemsPerPart));")
        item = shape.item("(first + i)")
      }
      findThreshold(&text, item: item)
      collect(&text, item: item, sorts: sorts)
    }
    return text.text
  }

  /// Digits of an item, from the highest, in base 256.
  private var digits: String {
    shape.isWide
      ? """
      DEVICE int item_digit(item_t a, int pass) { return pass < 8 ? (int)(a.key >> (56 - 8 * pass)) & 255 : (int)(a.index >> (88 - 8 * pass)) & 255; }
      DEVICE item_t with_digit(item_t a, int pass, int digit) {
        if (pass < 8) a.key |= (uint64_t)digit << (56 - 8 * pass); else a.index |= (uint32_t)digit << (88 - 8 * pass);
        return a;
      }
      DEVICE bool begins_alike(item_t a, item_t b, int pass) {
        if (pass == 0) return true;
        if (pass <= 8) return (a.key ^ b.key) >> (64 - 8 * pass) == 0;
        return a.key == b.key && (a.index ^ b.index) >> (96 - 8 * pass) == 0;
      }
      DEVICE item_t no_item() { return make_item(0, 0); }
      """
      : """
      DEVICE int item_digit(item_t a, int pass) { return (int)(a >> (56 - 8 * pass)) & 255; }
      DEVICE item_t with_digit(item_t a, int pass, int digit) { return a | (uint64_t)digit << (56 - 8 * pass); }
      DEVICE bool begins_alike(item_t a, item_t b, int pass) { return pass == 0 || (a ^ b) >> (64 - 8 * pass) == 0; }
      DEVICE item_t no_item() { return 0; }
      """
  }

  /// Finds `threshold`: as many items as are wanted are not above it. `taken` is zero afterwards.
  private func findThreshold(_ text: inout KernelText, item: String) {
    text.line(
      """
      item_t threshold = no_item();
      int wanted = min(\(shape.count), extent);
      bool is_exact = false;
      if (threadIdx.x == 0) taken = 0;
      """)
    text.block("for (int pass = 0; pass < \(shape.itemDigits); pass++)") {
      $0.line(
        """
        if (is_exact) { threshold = with_digit(threshold, pass, 255); continue; }
        for (int i = threadIdx.x; i < 256; i += \(threads)) histogram[i] = 0;
        block_barrier();
        for (int i = threadIdx.x; i < extent; i += \(threads)) {
          const item_t item = \(item);
          if (begins_alike(item, threshold, pass)) atomic_add(&histogram[item_digit(item, pass)], 1);
        }
        block_barrier();
        if (warp_index() == 0) {
          const int bin = lane_index() * 8;
          int own = 0;
          for (int i = 0; i < 8; i++) own += histogram[bin + i];
          int before = own;
          for (int i = 1; i < 32; i *= 2) {
            const int other = shuffle_up(before, i);
            if (lane_index() >= i) before += other;
          }
          before -= own;
          for (int i = 0; i < 8; i++) {
            const int here = histogram[bin + i];
            if (before < wanted && before + here >= wanted) { found[0] = bin + i; found[1] = before; found[2] = here; }
            before += here;
          }
        }
        block_barrier();
        threshold = with_digit(threshold, pass, found[0]);
        wanted -= found[1];
        is_exact = found[2] == wanted;
        """)
    }
  }

  /// Gathers the items not above `threshold`. `taken` is left alone until all threads have read `found`:
  /// compilers load neighbours in shared memory together.
  private func collect(_ text: inout KernelText, item: String, sorts: Bool) {
    let kept = sorts ? size : shape.count
    text.line(
      """
      block_barrier();
      for (int i = threadIdx.x; i < extent; i += \(threads)) {
        const item_t item = \(item);
        if (!is_less(threshold, item)) items[atomic_add(&taken, 1)] = item;
      }
      block_barrier();
      for (int i = taken + threadIdx.x; i < \(kept); i += \(threads)) items[i] = last_item();
      """)
    if !sorts { return }
    text.line("sort_items<\(size), \(size)>(items);")
    text.block("for (int j = threadIdx.x; j < \(shape.count); j += \(threads))") {
      $0.lines(shape.store("items[j]", as: "j"))
    }
  }
}
