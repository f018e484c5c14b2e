import KernelModel
import ProgramModel

/// Sorts lanes that fit into shared memory: a block for one lane, or for several short ones.
struct BlockSort: CUDATactic {
  private let shape: SortShape

  let name = "sort block"
  static let limit = 4096

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = SortShape(request.step), shape.extent <= limit else { return [] }
    return [BlockSort(shape: shape)]
  }

  /// Items of a lane in shared memory.
  private var size: Int { SortShape.powerOfTwo(atLeast: max(shape.extent, 2)) }
  private var lanesPerBlock: Int { max(min(512 / size, shape.laneCount), 1) }
  private var threads: Int {
    min(max(SortShape.powerOfTwo(atLeast: size * lanesPerBlock / 2), 32), 1024)
  }
  private var blocks: Int { ceilingQuotient(shape.laneCount, lanesPerBlock) }

  func estimate(_ request: CUDARequest) -> Double {
    let stages = Double(size.trailingZeroBitCount * (size.trailingZeroBitCount + 1) / 2)
    let steps = Double(ceilingQuotient(size * lanesPerBlock / 2, threads))
    let resident = max(2048 / threads, 1) * request.gpu.multiprocessors
    let waves = Double(ceilingQuotient(blocks, resident))
    return max(
      request.trafficSeconds,
      request.launchSeconds + waves
        * (2e-6 + stages * steps * 0.05e-6 * Double(max(threads / 128, 1))))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let total = size * lanesPerBlock
    var text = KernelText()
    text.line(shape.functions)
    text.line(SortShape.bitonic(threads: threads))
    text.block("KERNEL(\(threads)) sort_block(\(shape.parameters.joined(separator: ", ")))") {
      text in
      text.line("item_t* const items = (item_t*)dynamic_shared;")
      text.block("for (int at = threadIdx.x; at < \(total); at += \(threads))") { text in
        text.line(
          "const int lane = blockIdx.x * \(lanesPerBlock) + at / \(size), i = at % \(size);")
        text.line("items[at] = last_item();")
        text.line("if (lane >= \(shape.laneCount) || i >= \(shape.extent)) continue;")
        text.lines(shape.places(of: "lane"))
        text.line("items[at] = \(shape.item("i"));")
      }
      text.line("sort_items<\(total), \(size)>(items);")
      let stored = lanesPerBlock * shape.count
      text.block("for (int at = threadIdx.x; at < \(stored); at += \(threads))") { text in
        text.line(
          """
          const int place = at / \(shape.count), j = at % \(shape.count);
          const int lane = blockIdx.x * \(lanesPerBlock) + place;
          if (lane >= \(shape.laneCount)) break;
          """)
        text.lines(shape.places(of: "lane"))
        text.lines(shape.store("items[place * \(size) + j]", as: "j"))
      }
    }
    return StepPlan(launches: [
      KernelLaunch(
        KernelSource(entry: "sort_block", body: text.text), grid: GridSize(blocks),
        threads: threads, sharedBytes: total * shape.itemBytes, arguments: shape.arguments)
    ])
  }
}
