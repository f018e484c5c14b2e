import KernelModel
import ProgramModel

/// Sorts lanes of any extent: runs in shared memory, then pairs of runs merged through the workspace.
struct MergeSort: CUDATactic {
  private let shape: SortShape

  let name = "sort merge"
  private static let run = 2048
  private static let threads = 512

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = SortShape(request.step), shape.extent > run,
      Double(shape.laneCount) * Double(ceilingQuotient(shape.extent, run)) < 0x1p31,
      Double(shape.laneCount) * Double(shape.extent) * 32 < 0x1p40
    else { return [] }
    return [MergeSort(shape: shape)]
  }

  private var runs: Int { ceilingQuotient(shape.extent, Self.run) }
  private var passes: Int {
    SortShape.powerOfTwo(atLeast: runs).trailingZeroBitCount
  }
  private var elements: Int { shape.laneCount * shape.extent }

  func estimate(_ request: CUDARequest) -> Double {
    let items = Double(elements)
    let sorting = items / Double(request.gpu.multiprocessors) * 4e-9 + 20e-6
    let merging = items * Double(shape.itemBytes) * 6 / request.gpu.memoryBandwidth + 4e-6
    return sorting + Double(passes) * (merging + request.launchSeconds)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let bytes = ceilingQuotient(elements * shape.itemBytes, 256) * 256
    let buffers = [0, bytes]
    // The length of the runs that each pass merges.
    let lengths = 2 * bytes
    var launches = [
      KernelLaunch(
        KernelSource(entry: "sort_runs", body: runsText), grid: GridSize(runs * shape.laneCount),
        threads: Self.threads, sharedBytes: Self.run * shape.itemBytes,
        arguments: [.input(0), .workspace(0), .workspace(lengths)])
    ]
    let merge = KernelSource(entry: "merge_runs", body: mergeText(isLast: false))
    let last = KernelSource(entry: "merge_runs", body: mergeText(isLast: true))
    for pass in 0..<passes {
      let isLast = pass == passes - 1
      let between: [KernelLaunch.Argument] = [
        .workspace(buffers[pass % 2]), .workspace(lengths + 4 * pass),
      ]
      launches.append(
        KernelLaunch(
          isLast ? last : merge, grid: GridSize(ceilingQuotient(elements, 256)), threads: 256,
          arguments: between + (isLast ? shape.arguments : [.workspace(buffers[(pass + 1) % 2])])))
    }
    return StepPlan(launches: launches, workspaceBytes: lengths + 256)
  }

  /// Sorts each run of a lane and writes the items to the workspace, lane after lane.
  private var runsText: String {
    let run = Self.run, threads = Self.threads
    var text = KernelText()
    text.line(shape.functions)
    text.line(SortShape.bitonic(threads: threads))
    let parameters =
      "const \(shape.storage)* __restrict__ x, item_t* __restrict__ sorted, int32_t* __restrict__ lengths"
    text.block("KERNEL(\(threads)) sort_runs(\(parameters))") { text in
      text.line(
        """
        item_t* const items = (item_t*)dynamic_shared;
        const int lane = blockIdx.x / \(runs), first = blockIdx.x % \(runs) * \(run);
        if (blockIdx.x == 0 && threadIdx.x < \(passes)) lengths[threadIdx.x] = \(run) << threadIdx.x;
        """)
      text.lines(shape.places(of: "lane"))
      text.block("for (int at = threadIdx.x; at < \(run); at += \(threads))") { text in
        text.line("const int i = first + at;")
        text.line("items[at] = i < \(shape.extent) ? \(shape.item("i")) : last_item();")
      }
      text.line(
        """
        sort_items<\(run), \(run)>(items);
        for (int at = threadIdx.x; at < \(run) && first + at < \(shape.extent); at += \(threads))
          sorted[(int64_t)lane * \(shape.extent) + first + at] = items[at];
        """)
    }
    return text.text
  }

  /// Every item finds its place in the merged run by its rank in the other run.
  private func mergeText(isLast: Bool) -> String {
    var text = KernelText()
    text.line(shape.functions)
    let results = isLast ? shape.parameters : ["item_t* __restrict__ merged"]
    let parameters =
      ["const item_t* __restrict__ sorted", "const int32_t* __restrict__ length"] + results
    text.block("KERNEL(256) merge_runs(\(parameters.joined(separator: ", ")))") { text in
      text.line(
        """
        const int64_t at = (int64_t)blockIdx.x * 256 + threadIdx.x;
        if (at >= \(elements)) return;
        const int run = *length, lane = (int)(at / \(shape.extent)), i = (int)(at % \(shape.extent));
        const int pair = i / (2 * run) * (2 * run), other = i - pair < run ? min(pair + run, \(shape.extent)) : pair;
        const item_t* const items = sorted + (int64_t)lane * \(shape.extent);
        const item_t item = items[i];
        int low = other, high = i - pair < run ? min(pair + 2 * run, \(shape.extent)) : pair + run;
        while (low < high) {
          const int middle = (low + high) / 2;
          if (is_less(items[middle], item)) low = middle + 1; else high = middle;
        }
        const int rank = (i - pair < run ? i : i - run) + low - other;
        """)
      if isLast {
        text.line("if (rank >= \(shape.count)) return;")
        text.lines(shape.places(of: "lane"))
        text.lines(shape.store("item", as: "rank"))
      } else {
        text.line("merged[(int64_t)lane * \(shape.extent) + rank] = item;")
      }
    }
    return text.text
  }
}
