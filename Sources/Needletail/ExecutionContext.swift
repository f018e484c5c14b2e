package import DeviceInterface
import EngineFormat
import GraphModel
public import TensorModel

/// What one thread uses at a time to run an engine again and again with the same shapes: it holds the
/// input and output tensors, and `run` allocates nothing.
public final class ExecutionContext {
  private let engine: Engine
  let plan: ExecutionPlan
  private let program: ExecutionPlan.PlannedProgram?
  /// Nil where the host has a part in the network.
  private let context: (any ExecutableContext)?
  private var inputTensors: [Tensor]
  private var outputTensors: [Tensor]
  private var inputAddresses: [UnsafeRawPointer] = []
  private var outputAddresses: [UnsafeMutableRawPointer] = []

  init(
    _ engine: Engine, shapes: [String: [Int]], deviceTensors: [String: DeviceTensor] = [:]
  ) throws(NeedletailError) {
    self.engine = engine
    let types = try engine.contents.graph.fixingInputs(shapes).representativeTypes()
    do { plan = try engine.executor.plan(for: types) } catch {
      let symbols = engine.contents.graph.inputSymbols.sorted().joined(separator: ", ")
      guard shapes.isEmpty, !symbols.isEmpty else { throw error }
      throw NeedletailError(
        error.stage,
        error.description
          + " (the extents \(symbols) were taken as 1: give the shapes of the inputs)")
    }
    do {
      var inputs: [Tensor] = []
      for type in types {
        inputs.append(try Tensor(zeros: type.dataType, shape: type.shape.constants ?? []))
      }
      inputTensors = inputs
      outputTensors = []
      program = plan.program
      if let program, plan.isProgramOnly {
        for type in program.outputTypes {
          outputTensors.append(try Tensor(zeros: type.dataType, shape: type.shape))
        }
        context = try DeviceBinding(deviceTensors, engine, inputTensors, outputTensors)
          .makeContext(program.compiled.executable)
      } else {
        guard deviceTensors.isEmpty else {
          throw NeedletailError(
            .device, "the host has a part in the network, so its tensors cannot stay on the GPU")
        }
        context = nil
      }
    } catch let error as TensorError {
      throw NeedletailError(.input, error.description)
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.device, "\(error)")
    }
    resolve()
  }

  private func resolve() {
    inputAddresses = inputTensors.map { UnsafeRawPointer($0.address) }
    outputAddresses = outputTensors.map(\.address)
  }

  /// Copies the elements of an input.
  ///
  /// - Throws: `NeedletailError` where the tensor has another type or shape than the context was made for.
  public func setInput(_ name: String, _ tensor: Tensor) throws(NeedletailError) {
    let graph = engine.contents.graph
    guard let index = graph.inputs.firstIndex(where: { graph[$0].name == name }) else {
      throw NeedletailError(.input, "there is no input '\(name)'")
    }
    let expected = inputTensors[index]
    guard tensor.dataType == expected.dataType, tensor.shape == expected.shape else {
      throw NeedletailError(
        .input, "input '\(name)' is \(tensor.type), the context was made for \(expected.type)")
    }
    inputTensors[index] = tensor
    inputAddresses[index] = UnsafeRawPointer(inputTensors[index].address)
  }

  /// Runs the network once on the inputs that were set.
  public func run() throws(NeedletailError) {
    guard let context else {
      outputTensors = try engine.executor.run(inputTensors)
      return
    }
    var failure: DeviceError?
    inputAddresses.withUnsafeBufferPointer { inputs in
      outputAddresses.withUnsafeBufferPointer { outputs in
        do throws(DeviceError) {
          try context.run(inputs: inputs, outputs: outputs)
        } catch { failure = error }
      }
    }
    if let failure { throw NeedletailError(.device, failure.description) }
  }

  /// A copy of an output of the last run.
  ///
  /// - Throws: `NeedletailError` where there is no such output.
  public func output(_ name: String) throws(NeedletailError) -> Tensor {
    let outputs = engine.contents.graph.outputs
    guard let index = outputs.firstIndex(where: { $0.name == name }), index < outputTensors.count
    else {
      throw NeedletailError(
        .input,
        "there is no output '\(name)'; the engine has \(outputs.map { "'\($0.name)'" }.joined(separator: ", "))"
      )
    }
    let tensor = outputTensors[index]
    guard context != nil else { return tensor }
    do {
      var copy = try Tensor(uninitialized: tensor.dataType, shape: tensor.shape)
      copy.withUnsafeMutableBytes { bytes in
        if let target = bytes.baseAddress {
          target.copyMemory(from: tensor.address, byteCount: bytes.count)
        }
      }
      return copy
    } catch { throw NeedletailError(.device, error.description) }
  }

  /// Bytes of the arena that holds all activations.
  public var arenaBytes: Int { program?.compiled.executable.arenaBytes ?? 0 }

  package var executable: (any Executable)? { program?.compiled.executable }
  package var tuned: CompiledProgram? { program?.compiled }

  /// The seconds of each step of one run, in the order of the program: where the host has a part in the network, of
  /// the kernels before that.
  package func profile() throws(NeedletailError) -> [Double] {
    guard let context else { return try profileProgram() }
    var failure: DeviceError?
    var seconds: [Double] = []
    inputAddresses.withUnsafeBufferPointer { inputs in
      outputAddresses.withUnsafeBufferPointer { outputs in
        do throws(DeviceError) {
          seconds = try context.profile(inputs: inputs, outputs: outputs)
        } catch { failure = error }
      }
    }
    if let failure { throw NeedletailError(.device, failure.description) }
    return seconds
  }

  private func profileProgram() throws(NeedletailError) -> [Double] {
    guard let program else { return [] }
    let context = try program.contexts.take()
    defer { program.contexts.giveBack(context) }
    do {
      let results = try program.outputTypes.map {
        try Tensor(uninitialized: $0.dataType, shape: $0.shape)
      }
      defer { withExtendedLifetime(results) {} }
      return try inputAddresses.withUnsafeBufferPointer { inputs in
        try results.map(\.address).withUnsafeBufferPointer { outputs in
          try context.profile(inputs: inputs, outputs: outputs)
        }
      }
    } catch { throw NeedletailError(.device, "\(error)") }
  }

  /// What one run takes, and what of it the nodes take that the host computes, by name.
  package func hostSeconds() throws(NeedletailError) -> (whole: Double, nodes: [String: Double]) {
    var nodes: [String: Double] = [:]
    let start = ContinuousClock.now
    if context == nil {
      outputTensors = try engine.executor.run(inputTensors) { nodes[$0, default: 0] += $1 }
    } else {
      try run()
    }
    return (start.duration(to: .now) / .seconds(1), nodes)
  }

  /// The seconds that the device itself takes for each of several runs, without copies to and from the
  /// host; nil where the host is the device, or where the host has a part in the network.
  package func deviceSeconds(runs: Int) throws(NeedletailError) -> [Double]? {
    guard let context else { return nil }
    do { return try context.deviceSeconds(runs: runs) } catch {
      throw NeedletailError(.device, error.description)
    }
  }
}
