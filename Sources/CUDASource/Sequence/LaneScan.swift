import KernelModel
import ProgramModel
import TensorModel

/// Running results of many lanes: a thread for each lane, which loads some elements ahead.
struct LaneScan: CUDATactic {
  private let shape: ScanShape

  let name = "scan lanes"
  private static let ahead = 8

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    ScanShape(request.step).map { [LaneScan(shape: $0)] } ?? []
  }

  private var threads: Int { shape.laneCount >= 1 << 15 ? 128 : 32 }

  func estimate(_ request: CUDARequest) -> Double {
    let lanes = Double(request.gpu.multiprocessors * 1024)
    let rounds = max(Double(shape.laneCount) / lanes, 1)
    return max(
      request.trafficSeconds,
      request.launchSeconds + rounds * Double(ceilingQuotient(shape.extent, Self.ahead)) * 0.8e-6)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    var text = KernelText()
    let ahead = min(Self.ahead, shape.extent)
    text.block("KERNEL(\(threads)) scan_lanes(\(shape.parameters.joined(separator: ", ")))") {
      text in
      text.line("const int lane = blockIdx.x * \(threads) + threadIdx.x;")
      text.line("if (lane >= \(shape.laneCount)) return;")
      text.lines(shape.places(of: "lane"))
      text.line("\(shape.accumulator) total = \(shape.neutral);")
      text.block("for (int from = 0; from < \(shape.extent); from += \(ahead))") { text in
        let isWhole = shape.extent % ahead == 0
        let condition = isWhole ? "" : "if (from + i < \(shape.extent)) "
        text.line(
          """
          \(shape.accumulator) values[\(ahead)];
          #pragma unroll
          for (int i = 0; i < \(ahead); i++) \(condition)values[i] = \(shape.element("(from + i)"));
          #pragma unroll
          """)
        text.block("for (int i = 0; i < \(ahead); i++)") { text in
          if !isWhole { text.line("if (from + i >= \(shape.extent)) break;") }
          let store = shape.store("total", "(from + i)")
          let add = "total = total \(shape.sign) values[i];"
          text.lines(shape.problem.isExclusive ? [store, add] : [add, store])
        }
      }
    }
    return StepPlan(launches: [
      KernelLaunch(
        KernelSource(entry: "scan_lanes", body: text.text),
        grid: GridSize(ceilingQuotient(shape.laneCount, threads)), threads: threads,
        arguments: shape.arguments)
    ])
  }
}
