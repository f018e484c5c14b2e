import ProgramModel
import TensorModel

/// One kernel: the threads that share a group read it, agree on its statistics and write it.
struct WholeNormalization: CUDATactic {
  let text: NormalizationText

  var name: String {
    let place = text.isResident ? "" : " streaming"
    switch text.arrangement {
    case .rows: return "row normalization \(text.lanes)/\(text.threads) x\(text.width)\(place)"
    case .columns(let columns): return "column normalization \(columns)x\(text.lanes)\(place)"
    }
  }

  func estimate(_ request: CUDARequest) -> Double {
    let step = text.step
    let size = step.x.view.dataType.byteCount
    let kept = step.axes.kept.innerStride(view: 0), inner = step.axes.group.innerStride(view: 0)
    var waste = 1
    switch text.arrangement {
    case .rows: if text.width == 1 { waste = max(min(32 / size, abs(inner)), 1) }
    case .columns(let columns):
      waste = max(min(32 / size, abs(kept)), 1, 32 / (columns * size))
    }
    let loads = ceilingQuotient(step.groupSize, text.lanes * text.width)
    let passes = text.isResident ? 1.0 : 1.7
    let levels: Int
    switch text.arrangement {
    case .rows: levels = 2 * (min(text.lanes, 32).trailingZeroBitCount + (text.lanes > 32 ? 4 : 0))
    case .columns: levels = text.lanes > 1 ? 2 * (3 + text.lanes / 8) : 0
    }
    return ReductionCost(request).seconds(
      bytes: request.step.trafficBytes * Double(waste) * passes,
      threads: step.groupCount * text.lanes, blockThreads: text.threads,
      loads: text.isResident ? loads : 3 * loads,
      loadsInFlight: text.isResident ? loads : 4, bytesPerLoad: size * text.width, levels: levels)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard text.step.elementCount > 0 else { return StepPlan(launches: []) }
    return StepPlan(launches: [
      KernelLaunch(
        KernelSource(entry: "normalize", body: try text.wholeKernel()),
        grid: GridSize(ceilingQuotient(text.step.groupCount, text.groupsOfBlock)),
        threads: text.threads, arguments: text.step.arguments)
    ])
  }
}

/// Two kernels, for few large groups: statistics of parts of groups, then the elements.
struct SplitNormalization: CUDATactic {
  /// With more than one part.
  let text: NormalizationText

  var name: String { "split normalization \(text.parts)x\(text.lanes) x\(text.width)" }

  func estimate(_ request: CUDARequest) -> Double {
    let step = text.step
    let size = step.x.view.dataType.byteCount
    let inner = step.axes.group.innerStride(view: 0)
    let waste = text.width == 1 ? max(min(32 / size, abs(inner)), 1) : 1
    let loads = ceilingQuotient(step.groupSize, text.lanes * text.width * text.parts)
    let seconds = ReductionCost(request).seconds(
      bytes: request.step.trafficBytes * Double(waste) * 0.75,
      threads: step.groupCount * text.lanes * text.parts, blockThreads: text.threads,
      loads: loads, loadsInFlight: text.isResident ? loads : 4,
      bytesPerLoad: size * text.width, levels: 10)
    return 2 * seconds
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let step = text.step
    guard step.elementCount > 0 else { return StepPlan(launches: []) }
    let grid = GridSize(step.groupCount, text.parts)
    let bytes = step.isDouble ? 8 : 4
    return StepPlan(
      launches: [
        KernelLaunch(
          KernelSource(entry: "measure", body: text.measureKernel()), grid: grid,
          threads: text.threads, arguments: [step.x.argument, .workspace(0)]),
        KernelLaunch(
          KernelSource(entry: "normalize", body: try text.applyKernel()), grid: grid,
          threads: text.threads, arguments: step.arguments + [.workspace(0)]),
      ],
      workspaceBytes: text.partStatistics.count * step.groupCount * text.parts * bytes)
  }
}

/// The tactics for normalisations of groups.
struct NormalizationCandidates {
  let step: NormalizationStep
  let request: CUDARequest

  var tactics: [any CUDATactic] { rows + columns + splits }

  /// Neighbours that rows move at once.
  private var width: Int {
    let axes = step.axes
    return axes.vectorWidth(along: axes.group, view: 0, of: step.x.view, limit: 8)
  }

  private var rows: [any CUDATactic] {
    let units = max(step.groupSize / width, 1)
    var tactics: [any CUDATactic] = []
    for lanes in [1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024] {
      let residents = ceilingQuotient(units, lanes)
      // Threads without work help nobody; neither do those that only fill up.
      let isUseful = lanes <= max(units, 1) || (lanes <= 32 && lanes / 2 < units)
      let isPowerOfTwo = lanes & (lanes - 1) == 0
      guard isUseful, isPowerOfTwo || units % lanes == 0 else { continue }
      if residents * width <= step.residentLimit {
        tactics.append(whole(lanes, isResident: true))
      } else if lanes == 1024 || lanes == 256 {
        tactics.append(whole(lanes, isResident: false))
      }
    }
    return tactics.isEmpty ? [whole(32, isResident: false)] : tactics
  }

  private func whole(_ lanes: Int, isResident: Bool) -> WholeNormalization {
    var threads = lanes
    if lanes <= 32 {
      threads = 256
      while threads > 32,
        step.groupCount * lanes / threads < 2 * request.gpu.multiprocessors
      {
        threads /= 2
      }
    }
    return WholeNormalization(
      text: NormalizationText(
        step: step, arrangement: .rows, lanes: lanes, threads: threads, width: width,
        isResident: isResident))
  }

  private var columns: [any CUDATactic] {
    guard step.axes.kept.innerStride(view: 0) != 0, step.axes.kept.elementCount > 1 else {
      return []
    }
    var tactics: [any CUDATactic] = []
    for (columns, lanes) in [(32, 1), (128, 1), (32, 4), (32, 8), (16, 16), (32, 16), (32, 32)]
    where columns / 2 < step.groupCount && (lanes == 1 || lanes <= step.groupSize) {
      let isResident = ceilingQuotient(step.groupSize, lanes) <= step.residentLimit
      if !isResident, lanes < 8 { continue }
      tactics.append(
        WholeNormalization(
          text: NormalizationText(
            step: step, arrangement: .columns(columns), lanes: lanes, threads: columns * lanes,
            width: 1, isResident: isResident)))
    }
    return tactics
  }

  private var splits: [any CUDATactic] {
    let lanes = 256
    let units = max(step.groupSize / width, 1)
    let most = units / lanes
    let wanted = ceilingQuotient(request.gpu.multiprocessors * 4, max(step.groupCount, 1))
    guard most > 1, wanted > 1, step.groupCount > 0 else { return [] }
    var counts: Set<Int> = []
    for count in [wanted, wanted / 2, wanted * 2] {
      // Parts of equal size, none of them empty.
      let perPart = ceilingQuotient(units, max(min(count, most, 1024), 1))
      counts.insert(ceilingQuotient(units, perPart))
    }
    return counts.sorted().filter { $0 > 1 }.map { parts in
      let residents = ceilingQuotient(ceilingQuotient(units, parts), lanes)
      return SplitNormalization(
        text: NormalizationText(
          step: step, arrangement: .rows, lanes: lanes, threads: lanes, width: width,
          isResident: residents * width <= step.residentLimit, parts: parts))
    }
  }
}
