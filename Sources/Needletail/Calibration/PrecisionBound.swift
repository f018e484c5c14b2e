import EngineFormat
import GraphModel
import TensorModel

/// What a reduced precision may cost.
package enum PrecisionBound: Sendable {
  /// Norm of the difference of an output from FP32 over norm.
  case error(Double)
  /// Points of top-1 accuracy below FP32, by one label for each sample.
  case accuracyLoss(Double, labels: [Int64])

  package var limit: Double {
    switch self {
    case .error(let bound), .accuracyLoss(let bound, _): bound
    }
  }

  package var name: String {
    switch self {
    case .error: "error"
    case .accuracyLoss: "accuracy loss"
    }
  }
}

/// What a network in reduced precision costs on data.
struct PrecisionLoss {
  private let bound: PrecisionBound
  private let batches: [[String: Tensor]]
  private let expected: [[Tensor]]
  /// Where the labels of each batch begin.
  private let firsts: [Int]
  private let reference: Engine

  /// - Parameter firstSample: where the data lies among the samples that the labels are of.
  init(
    _ bound: PrecisionBound, _ reference: Engine, _ data: CalibrationData, firstSample: Int
  ) throws(NeedletailError) {
    var batches: [[String: Tensor]] = []
    var expected: [[Tensor]] = []
    var firsts: [Int] = []
    var first = firstSample
    for index in 0..<data.batchCount {
      let batch = try data.tensors(ofBatch: index)
      let inputs = try reference.arranged(batch)
      batches.append(batch)
      expected.append(try reference.executor.run(inputs))
      firsts.append(first)
      first += max(inputs.first?.shape.first ?? 1, 1)
    }
    self.bound = bound
    self.batches = batches
    self.expected = expected
    self.firsts = firsts
    self.reference = reference
  }

  /// The largest relative error of an output, or the points of accuracy that are lost.
  func loss(
    of executor: GraphExecutor, progress: (Double) -> Void = { _ in }
  ) throws(NeedletailError) -> Double {
    var sums: [ErrorSum] = []
    var right = 0
    var wrong = 0
    var samples = 0
    for (index, batch) in batches.enumerated() {
      progress(Double(index) / Double(batches.count))
      let found = try executor.run(try reference.arranged(batch))
      switch bound {
      case .error:
        while sums.count < found.count { sums.append(ErrorSum()) }
        for (place, tensor) in found.enumerated() {
          sums[place].add(tensor, expected[index][place])
        }
      case .accuracyLoss(_, let labels):
        let (a, count) = TopOne.correct(found.first, labels, from: firsts[index])
        right += a
        wrong += TopOne.correct(expected[index].first, labels, from: firsts[index]).correct
        samples += count
      }
    }
    progress(1)
    switch bound {
    case .error: return sums.map(\.relative).max() ?? 0
    case .accuracyLoss: return samples > 0 ? 100 * Double(wrong - right) / Double(samples) : 0
    }
  }
}

extension Engine {
  /// What the engine costs against its network in FP32, on samples from a place on.
  package func loss(
    _ model: Model, builder: Builder, bound: PrecisionBound, data: CalibrationData,
    firstSample: Int
  ) throws(NeedletailError) -> Double {
    let reference = try builder.reference.buildNow(model)
    return try PrecisionLoss(bound, reference, data, firstSample: firstSample).loss(of: executor)
  }
}
