import KernelModel
import ProgramModel
import TensorModel

/// The operands of a scan step and the texts that all its kernels share.
struct ScanShape {
  let problem: Scan
  let x, output: View
  let extent: Int
  /// The axes but the scanned one, over x and the output.
  let lanes: IndexSpace

  init?(_ step: Step) {
    guard case .scan(let problem) = step.problem, let x = step.inputs.first ?? nil,
      let output = step.outputs.first
    else { return nil }
    self.problem = problem
    self.x = x
    self.output = output
    extent = x.shape[problem.axis]
    // Neighbours in memory come last, so that neighbouring threads take them.
    let others = x.order.filter { $0 != problem.axis }
    lanes = IndexSpace(
      shape: others.map { x.shape[$0] },
      strides: [x, output].map { view in others.map { view.strides[$0] } })
  }

  var isEmpty: Bool { x.elementCount == 0 }
  var laneCount: Int { lanes.elementCount }
  var storage: String { x.dataType.cudaStorage ?? "float" }
  /// Sums of real numbers are kept in double precision, those of integers wrap at 64 bits.
  var accumulator: String { x.dataType.isFloatingPoint ? "double" : "uint64_t" }
  var neutral: String { problem.function == .sum ? "0" : "1" }
  var sign: String { problem.function == .sum ? "+" : "*" }

  var parameters: [String] {
    ["const \(storage)* __restrict__ x", "\(storage)* __restrict__ output"]
  }
  let arguments: [KernelLaunch.Argument] = [.input(0), .output(0)]

  /// Statements that declare `source` and `target`, where a lane begins in x and the output.
  func places(of lane: String) -> [String] {
    lanes.coordinates(of: lane, prefix: "l")
      + ["source", "target"].enumerated().map { view, name in
        "const int \(name) = \(lanes.offset(view: view, prefix: "l"));"
      }
  }

  private func place(_ base: String, _ step: String, _ stride: Int) -> String {
    // Steps of a reversed scan count from the end.
    problem.isReversed
      ? IndexText.sum([(base, 1), (step, -stride)], plus: (extent - 1) * stride)
      : IndexText.sum([(base, 1), (step, stride)])
  }

  /// The element that a step adds.
  func element(_ step: String) -> String {
    "(\(accumulator))load(x[\(place("source", step, x.strides[problem.axis]))])"
  }

  /// A statement that stores the result of a step.
  func store(_ value: String, _ step: String) -> String {
    let stored: String
    switch x.dataType {
    case .float16, .bfloat16: stored = "store<\(storage)>((float)\(value))"
    case .bool: stored = "store<bool_t>(\(value) != 0)"
    case .int4: stored = "(int8_t)((int8_t)(\(value) << 4) >> 4)"
    case .int2: stored = "(int8_t)((int8_t)(\(value) << 6) >> 6)"
    case .uint4: stored = "(uint8_t)(\(value) & 15)"
    case .uint2: stored = "(uint8_t)(\(value) & 3)"
    default: stored = "(\(storage))\(value)"
    }
    return "output[\(place("target", step, output.strides[problem.axis]))] = \(stored);"
  }
}
