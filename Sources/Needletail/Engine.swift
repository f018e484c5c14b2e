import DeviceInterface
package import EngineFormat
public import Foundation
import GraphModel
import PrecisionCalibration
import Synchronization
public import TensorModel

/// An optimised network that runs.
///
/// An engine never changes and is shared by any number of threads and tasks; its weights are kept once.
public final class Engine: Sendable {
  package let contents: EngineContents
  package let report: OptimizedGraph?
  let executor: GraphExecutor
  /// The other signatures, each as an engine of its own.
  private let others: [Engine]

  /// - Parameter executors: that of the first signature, then those of the others.
  init(contents: EngineContents, executors: [GraphExecutor], report: OptimizedGraph?) {
    self.contents = contents
    executor = executors[0]
    self.report = report
    others = zip(contents.furtherSignatures, executors.dropFirst()).map { signature, executor in
      var own = EngineContents(
        name: contents.name, graph: signature.graph, metadata: signature.metadata,
        sections: contents.sections)
      own.signature = signature.name
      own.mapping = contents.mapping
      return Engine(contents: own, executors: [executor], report: nil)
    }
  }

  /// Reads an engine file and loads it on a device.
  ///
  /// A device that the engine has no section for gets the cost model's choices.
  ///
  /// - Throws: `NeedletailError` for a file that is damaged in any byte, or is no engine.
  public convenience init(
    contentsOf url: URL, device: String = "cpu", threads: Int? = nil, limits: Limits = Limits()
  ) throws(NeedletailError) {
    let contents: EngineContents
    do { contents = try EngineFile.read(contentsOf: url.path, limits: limits) } catch {
      throw NeedletailError(.engine, error.description)
    }
    let device = try Devices.open(device, threads: threads)
    let section = contents.sections.first { $0.deviceClass == device.deviceClass }
    device.adopt(code: section?.code ?? [:])
    var pipeline = Pipeline()
    // What is expanded when shapes arrive has the precision of the rest.
    let precision = contents.metadata["precision"].flatMap(Precision.init) ?? .fp32
    pipeline.precision = precision.whereNotCalibrated
    pipeline.minimumSegmentSize = contents.metadata["minimum segment size"].flatMap(Int.init) ?? 1
    let workspace = contents.metadata["workspace"].flatMap(Int.init)
    var runtime = Runtime(
      pipeline: pipeline, device: device,
      tactics: StoredTactics(section, workspaceBytes: workspace))
    runtime.mapping = contents.mapping
    let first = GraphExecutor(contents.graph, runtime: runtime)
    let others = contents.furtherSignatures.map {
      $0.isFirst ? first : GraphExecutor($0.graph, runtime: runtime)
    }
    self.init(contents: contents, executors: [first] + others, report: nil)
  }

  /// Writes the engine whole, or leaves the file as it was.
  public func write(to url: URL) throws(NeedletailError) {
    do { try EngineFile.write(contents, to: url.path) } catch {
      throw NeedletailError(.engine, error.description)
    }
  }

  /// The model's name.
  public var name: String { contents.name }

  /// The name of what the engine computes when none is named; `serving_default` where the model gave none.
  public var signatureName: String { contents.signature }

  /// All that the engine computes, by name. Each is an engine that runs; they share their weights in the file.
  ///
  ///     let outputs = try await engine.signatures["serving_default"]?.run(["image": image])
  public var signatures: [String: Engine] {
    var result = [signatureName: self]
    for other in others { result[other.signatureName] = other }
    return result
  }

  /// Those signatures whose layers have no ranges, where the engine's precision needs them.
  package var signaturesNotCalibrated: [String] {
    let own = contents.metadata["precision"]
    return signatures.filter { $0.value.contents.metadata["precision"] != own }.keys.sorted()
  }

  /// One of the signatures.
  ///
  /// - Parameter name: nil for the first.
  /// - Throws: `NeedletailError` that lists the signatures where there is no such one.
  public func signature(_ name: String?) throws(NeedletailError) -> Engine {
    guard let name else { return self }
    guard let found = signatures[name] else {
      let known = signatures.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
      throw NeedletailError(.input, "there is no signature '\(name)'; the engine has \(known)")
    }
    return found
  }

  /// The tensors that the engine takes.
  public var inputs: [TensorDescription] {
    contents.graph.inputs.map {
      TensorDescription(name: contents.graph[$0].name, type: contents.graph[$0].type)
    }
  }

  /// The tensors that the engine gives.
  public var outputs: [TensorDescription] {
    contents.graph.outputs.map {
      TensorDescription(name: $0.name, type: contents.graph[$0.value].type)
    }
  }

  /// Runs the network once. It may be called from any task or thread.
  ///
  /// - Throws: `NeedletailError` where a tensor is missing, unknown, or of the wrong type or shape.
  public func run(_ inputs: [String: Tensor]) async throws(NeedletailError) -> [String: Tensor] {
    try runNow(inputs)
  }

  package func runNow(_ inputs: [String: Tensor]) throws(NeedletailError) -> [String: Tensor] {
    let ordered = try arranged(inputs)
    let results = try executor.run(ordered)
    var outputs: [String: Tensor] = [:]
    for ((name, _), tensor) in zip(contents.graph.outputs, results) { outputs[name] = tensor }
    return outputs
  }

  /// The inputs in the engine's order.
  func arranged(_ inputs: [String: Tensor]) throws(NeedletailError) -> [Tensor] {
    let names = contents.graph.inputs.map { contents.graph[$0].name }
    if let unknown = inputs.keys.filter({ !names.contains($0) }).min() {
      throw NeedletailError(
        .input,
        "there is no input '\(unknown)'; the engine has \(names.map { "'\($0)'" }.joined(separator: ", "))"
      )
    }
    var result: [Tensor] = []
    for name in names {
      guard let tensor = inputs[name] else {
        throw NeedletailError(.input, "input '\(name)' is missing")
      }
      result.append(tensor)
    }
    return result
  }

  /// A context of one's own, which runs without allocating memory.
  ///
  /// - Parameter shapes: the extents of each input; those of fixed extents may be left out.
  public func makeContext(shapes: [String: [Int]] = [:]) throws(NeedletailError) -> ExecutionContext
  {
    try ExecutionContext(self, shapes: shapes)
  }

  /// A context whose inputs and outputs lie in memory of the GPU, where they are read and written without
  /// copies. Those that are not named are copied from and to the host as ever.
  ///
  /// - Parameters:
  ///   - shapes: the extents of each input; those of fixed extents may be left out.
  ///   - deviceTensors: dense, row-major memory for inputs and outputs by their names. It must stay
  ///     allocated as long as the context, and what fills an input must have ended before `run` is called.
  /// - Throws: `NeedletailError` for a name that the engine does not have, for memory that is too small or
  ///   not this GPU's, and where the engine does not run on a GPU.
  public func makeContext(
    shapes: [String: [Int]] = [:], deviceTensors: [String: DeviceTensor]
  ) throws(NeedletailError) -> ExecutionContext {
    try ExecutionContext(self, shapes: shapes, deviceTensors: deviceTensors)
  }
}

extension Engine {
  /// The device that the engine runs on, for tables.
  package var deviceSummary: String { executor.runtime.device.summary }
}

extension ExecutionContext {
  /// The nodes that no kernel computes.
  package var hostNodeNames: [String] { plan.hostNodes.map(\.name) }
}
