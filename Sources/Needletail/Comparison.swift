import EngineFormat
import GraphModel
import KernelModel
import Operators
package import PrecisionCalibration
import ReferenceInterpreter
package import TensorModel

/// The optimised network against the reference interpreter, layer by layer.
package struct Comparison: Sendable {
  package struct Layer: Sendable {
    package var name: String
    package var kind: String
    package var shape: [Int]
    /// Norm of the difference over norm of the reference.
    package var relativeError: Double
    package var largestDifference: Double
  }

  /// In the order in which the engine computes them.
  package private(set) var layers: [Layer] = []
  package private(set) var outputs: [Layer] = []
  /// Layers that the reference has no tensor of the same name for.
  package private(set) var unmatched = 0

  /// The largest relative error that the layers of a sound engine have.
  package static func tolerance(for precision: Precision) -> Double {
    switch precision {
    case .fp32: 1e-4
    case .tf32: 2e-4
    case .fp16: 3e-3
    case .bf16, .fp8: 2e-2
    case .int8: 5e-2
    }
  }

  package func firstBeyond(_ tolerance: Double) -> Layer? {
    (layers + outputs).first { !($0.relativeError <= tolerance) }
  }

  /// Runs a model both ways on the same inputs.
  package init(
    _ model: Model, builder: Builder, inputs: [String: Tensor]
  ) throws(NeedletailError) {
    let engine = try builder.buildNow(model)
    let reference = try Self.reference(model, inputs)
    for (name, tensor) in try engine.runNow(inputs).sorted(by: { $0.key < $1.key }) {
      guard let expected = reference.outputs[name] else { continue }
      outputs.append(Self.layer(name, "output", tensor, expected))
    }
    let tapped = engine.contents.graph.withAllValuesAsOutputs()
    let executor = GraphExecutor(tapped, runtime: engine.executor.runtime)
    let results = try executor.run(try engine.arranged(inputs))
    for ((name, value), tensor) in zip(tapped.outputs, results) {
      let layouts = reference.values[name].map(Self.layouts) ?? []
      let real = try engine.realNumbers(tensor, of: name)
      let candidates = layouts.filter { $0.shape == real.shape }
        .map { Self.layer(name, tapped.kind(of: value), real, $0) }
      guard let best = candidates.min(by: { $0.relativeError < $1.relativeError }) else {
        unmatched += 1
        continue
      }
      layers.append(best)
    }
  }

  private static func reference(
    _ model: Model, _ inputs: [String: Tensor]
  ) throws(NeedletailError) -> (outputs: [String: Tensor], values: [String: Tensor]) {
    var values: [String: Tensor] = [:]
    do {
      let graph = try GraphInterpreter.specialize(model.graph, inputTypes: inputs.mapValues(\.type))
      let outputs = try GraphInterpreter.run(graph, inputs: inputs) { values[$0] = $1 }
      return (outputs, values)
    } catch let error as InterpretationError {
      throw NeedletailError(.build, "reference: \(error.description)")
    } catch { throw NeedletailError(.build, "reference: \(error)") }
  }

  /// A tensor as the model has it and with its last axis second: the optimiser keeps the layers of
  /// models whose channels are last with channels first.
  private static func layouts(_ tensor: Tensor) -> [Tensor] {
    let rank = tensor.shape.count
    guard rank > 2, tensor.dataType != .string else { return [tensor] }
    let order = [0, rank - 1] + Array(1..<(rank - 1))
    let moved = try? Interpreter.evaluate(.copy(.transpose(order)), [tensor])
    return [tensor] + (moved ?? [])
  }

  private static func layer(
    _ name: String, _ kind: String, _ found: Tensor, _ expected: Tensor
  ) -> Layer {
    let error = TensorDifference(found, expected)
    return Layer(
      name: name, kind: kind, shape: found.shape, relativeError: error.relative,
      largestDifference: error.largest)
  }
}

extension Engine {
  /// The numbers of a value inside, where it is stored as integers; what it holds, where it is not.
  func realNumbers(_ tensor: Tensor, of name: String) throws(NeedletailError) -> Tensor {
    guard let storage = report?.precision.storage[name], tensor.dataType == .uint8 else {
      return tensor
    }
    do { return try storage.dequantized(tensor) } catch {
      throw NeedletailError(.build, "value '\(name)': \(error.description)")
    }
  }
}

/// How far a tensor is from what was expected.
package struct TensorDifference: Sendable {
  /// Norm of the difference over norm of the expected; infinite for other shapes, NaN or infinities.
  /// Numbers of different types are compared as numbers.
  package private(set) var relative: Double
  package private(set) var largest: Double

  package init(_ found: Tensor, _ expected: Tensor) {
    guard found.shape == expected.shape, let a = found.numbers(), let b = expected.numbers() else {
      (relative, largest) = found.isIdentical(to: expected) ? (0, 0) : (.infinity, .infinity)
      return
    }
    var difference = 0.0
    var norm = 0.0
    largest = 0
    for (x, y) in zip(a, b) {
      if x == y || (x.isNaN && y.isNaN) {
        if y.isFinite { norm += y * y }
        continue
      }
      guard x.isFinite, y.isFinite else {
        (relative, largest) = (.infinity, .infinity)
        return
      }
      difference += (x - y) * (x - y)
      norm += y * y
      largest = max(largest, abs(x - y))
    }
    relative = difference == 0 ? 0 : norm == 0 ? .infinity : (difference / norm).squareRoot()
  }
}

extension Graph {
  /// The graph whose outputs are the values that kernels compute, under their own names.
  ///
  /// - Parameter includesOutputs: whether the outputs that it had are among them.
  func withAllValuesAsOutputs(includesOutputs: Bool = false) -> Graph {
    var result = self
    var listed = includesOutputs ? [] : Set(outputs.map(\.value))
    result.outputs = []
    for (_, node) in liveNodes {
      guard case .kernel = node.operation else { continue }
      for id in node.outputs where !listed.contains(id) {
        listed.insert(id)
        result.outputs.append((self[id].name, id))
      }
    }
    return result
  }

  func kind(of value: ValueID) -> String {
    liveNodes.first { $0.node.outputs.contains(value) }?.node.operation.summary ?? ""
  }
}
