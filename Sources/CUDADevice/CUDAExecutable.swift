import CUDADriver
import CUDASource
package import DeviceInterface
import DynamicTensorMemory
import KernelModel
import MultiStreamExecution
import ProgramModel
import TensorModel

/// A program prepared for a GPU: compiled kernels, weights in device memory, a schedule and a memory plan.
/// It never changes; contexts share it.
package final class CUDAExecutable: Executable {
  let program: Program
  let device: CUDA
  /// Nil for a step of the host.
  let plans: [StepPlan?]
  let kernels: [KernelSource: Kernel]
  let weights: DeviceWeights
  let memory: MemoryPlan
  let order: ExecutionOrder
  let options: LoadOptions
  package let tactics: [Tactic]

  package var arenaBytes: Int { memory.arenaBytes }
  package var arenaLowerBound: Int { memory.lowerBound }
  package var weightBytes: Int { weights.byteCount }
  package var code: [String: [UInt8]] { device.store.code(kernels.keys) }
  package func floorSeconds(ofStep index: Int) -> Double? {
    plans[index] == nil ? nil : device.properties.floorSeconds(of: program.steps[index])
  }
  package var hostSteps: [Int] { plans.indices.filter { plans[$0] == nil } }

  /// - Parameter goesBackward: whether all kernels that can begin with their last results do so, for tests.
  init(
    _ program: Program, device: CUDA, tactics: [Tactic], options: LoadOptions,
    goesBackward: Bool = false
  ) throws(CUDAError) {
    var plans: [StepPlan?] = []
    var used: [Tactic] = []
    var costs: [Double] = []
    var ends = ResultEnds(program, cacheBytes: device.properties.cacheBytes)
    for (index, step) in program.steps.enumerated() {
      let wanted = index < tactics.count ? tactics[index] : nil
      let tactic = device.tactic(wanted, step, program)
      used.append(tactic.map { Tactic($0.name) } ?? CUDA.host)
      var plan: StepPlan?
      if let tactic {
        plan = try device.plan(
          tactic, step, program,
          prefersBackward: goesBackward || ends.prefersBackward(step))
      }
      plans.append(plan)
      ends.note(step, plan)
      costs.append(tactic?.estimate(device.request(step, program)) ?? 1)
    }
    let launches = plans.flatMap { ($0?.preparation ?? []) + ($0?.launches ?? []) }
    kernels = try device.store.load(launches)
    weights = try DeviceWeights(program, plans, kernels, device: device)
    let dependencies = Dependencies(program)
    let schedule =
      options.runsBranchesInParallel && !plans.contains { $0 == nil }
      ? StreamSchedule(
        dependencies, costs: costs, threads: Self.branches, smallStep: Self.smallStep)
      : StreamSchedule(sequential: program.steps.count)
    do {
      memory = try MemoryPlan(
        program, timeOfStep: schedule.waveOfStep,
        workspaceBytes: plans.map { $0?.workspaceBytes ?? 0 }, reuses: options.plansMemory,
        alignment: Self.alignment)
    } catch { throw CUDAError(.driver, "planning memory: \(error.description)") }
    order = ExecutionOrder(
      program, dependencies: dependencies, waves: schedule.waveOfStep, memory: memory,
      workspaceBytes: plans.map { $0?.workspaceBytes ?? 0 },
      isSequential: !options.runsBranchesInParallel)
    self.options = options
    self.program = program
    self.device = device
    self.plans = plans
    self.tactics = used
  }

  /// Steps of one wave at most.
  private static let branches = 4
  /// A longer step fills the GPU by itself.
  private static let smallStep = 30e-6
  static let alignment = 256

  package func makeContext() throws(DeviceError) -> any ExecutableContext {
    do { return try CUDAContext(self) } catch { throw DeviceError(error.description) }
  }

  /// A context whose inputs and outputs, by their places in the program, lie in memory of the caller's.
  package func makeContext(
    inputs: [Int: UInt64], outputs: [Int: UInt64]
  ) throws(DeviceError) -> any ExecutableContext {
    var bound: [BufferID: UInt64] = [:]
    let views =
      inputs.map { (program.inputs[$0.key], $0.value) }
      + outputs.map { (program.outputs[$0.key], $0.value) }
    for (view, address) in views {
      guard bound.updateValue(address, forKey: view.buffer) ?? address == address else {
        throw DeviceError(
          "two tensors that the engine keeps in one place were given different device memory")
      }
    }
    do { return try CUDAContext(self, bound: bound) } catch { throw DeviceError(error.description) }
  }
}
