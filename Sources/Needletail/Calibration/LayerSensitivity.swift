import EngineFormat
import GraphModel
package import PrecisionCalibration
package import TensorModel

/// What layers cost in error when they are quantised: the network with some layers on integers and all others in
/// FP32, run untuned, against all of it in FP32.
package struct LayerSensitivity {
  /// The network in FP32, untuned, on the device.
  let reference: Engine
  private let table: CalibrationTable
  /// What layers that are not on integers are computed in.
  var rest: Precision

  package init(_ model: Model, builder: Builder) throws(NeedletailError) {
    guard let calibration = builder.calibration else {
      throw NeedletailError(.build, PrecisionError.notCalibrated(.int8).description)
    }
    reference = try builder.reference.buildNow(model)
    table = calibration.table
    rest = builder.rest ?? .fp32
  }

  /// The layers that can be quantised, in the graph's order.
  package func layers() throws(NeedletailError) -> [PrecisionAssignment.Entry] {
    try assignment([:]).entries.filter { $0.precision == .int8 }
  }

  private func assignment(
    _ excluded: [String: PrecisionAssignment.Reason], rest: Precision = .fp32
  ) throws(NeedletailError) -> PrecisionAssignment {
    do {
      return try PrecisionPolicy.assign(
        reference.contents.graph, .int8, rest: rest, table: table, excluded: excluded)
    } catch { throw NeedletailError(.build, error.description) }
  }

  /// The network with all layers on integers but those that are excluded.
  func executor(excluding names: some Sequence<String>) throws(NeedletailError) -> GraphExecutor {
    try executor(excluding: names, rest: rest)
  }

  private func executor(
    excluding names: some Sequence<String>, rest: Precision
  ) throws(NeedletailError) -> GraphExecutor {
    let excluded = Dictionary(names.map { ($0, PrecisionAssignment.Reason.requested) }) { a, _ in a
    }
    do {
      let graph = try PrecisionRewriter.apply(
        reference.contents.graph, try assignment(excluded, rest: rest))
      return GraphExecutor(graph, runtime: reference.executor.runtime)
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.build, "\(error)")
    }
  }

  /// The error of the outputs (norm of the difference over norm, the largest of all outputs) when one layer alone
  /// is quantised, for each layer, by name.
  package func errors(
    on batch: [String: Tensor], progress: (Double) -> Void = { _ in }
  ) throws(NeedletailError) -> [String: Double] {
    let names = try layers().map(\.node)
    let inputs = try reference.arranged(batch)
    let expected = try reference.executor.run(inputs)
    var result: [String: Double] = [:]
    for (index, name) in names.enumerated() {
      progress(Double(index) / Double(names.count))
      let found = try executor(excluding: names.filter { $0 != name }, rest: .fp32)
        .run(inputs)
      result[name] =
        zip(found, expected).map { TensorDifference($0, $1).relative }.max() ?? 0
    }
    progress(1)
    return result
  }
}
