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
      program = plan.isProgramOnly ? plan.program : nil
      if let program {
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

  /// The seconds of each step of one run, in the order of the program.
  package func profile() throws(NeedletailError) -> [Double] {
    guard let context else { return [] }
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

  /// The seconds that the device itself takes for each of several runs, without copies to and from the
  /// host; nil where the host is the device, or where the host has a part in the network.
  package func deviceSeconds(runs: Int) throws(NeedletailError) -> [Double]? {
    guard let context else { return nil }
    do { return try context.deviceSeconds(runs: runs) } catch {
      throw NeedletailError(.device, error.description)
    }
  }
}
