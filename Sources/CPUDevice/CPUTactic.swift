package import CPUKernelInterface
package import ProgramModel
package import TensorModel

/// One way to compute a step on the CPU.
///
/// A family of tactics is a query: it looks at the step's problem, types and strides and returns those
/// that can compute it, best guess first.
package protocol CPUTactic: Sendable {
  /// Stable over versions, unique among the tactics of a step: `indirect gemm 6x64 kc256`.
  var name: String { get }
  /// The cost model's guess, in seconds, on one thread.
  func estimate(_ request: TacticRequest) -> Double
  /// Packs weights and fixes everything that does not change from run to run.
  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel
}

/// A step that wants a tactic, with what is known of its surroundings.
package struct TacticRequest: Sendable {
  package var step: Step
  /// The constant operands among the step's inputs, at their places.
  package var constants: [Tensor?]
  package var threads: Int
  package var kernels: CPUKernelTable

  package init(step: Step, constants: [Tensor?], threads: Int, kernels: CPUKernelTable) {
    self.step = step
    self.constants = constants
    self.threads = threads
    self.kernels = kernels
  }
}

package struct CPUTacticError: Error, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

/// A step ready to run: phases one after the other, each split into tasks for the threads.
package struct PreparedKernel: Sendable {
  package var phases: [KernelPhase]
  /// Bytes of the arena that the phases share while the step runs.
  package var workspaceBytes: Int
  /// Bytes that each thread needs for itself.
  package var scratchBytes: Int
  /// Bytes of packed weights.
  package var packedBytes: Int

  package init(
    phases: [KernelPhase], workspaceBytes: Int = 0, scratchBytes: Int = 0, packedBytes: Int = 0
  ) {
    self.phases = phases
    self.workspaceBytes = workspaceBytes
    self.scratchBytes = scratchBytes
    self.packedBytes = packedBytes
  }
}

/// One kernel call.
package struct KernelPhase: Sendable {
  package enum Operand: Sendable {
    /// The first element of the step's input or output.
    case input(Int)
    case output(Int)
    /// Bytes from the start of the workspace.
    case workspace(Int)
    /// Memory made when the step was prepared: packed weights, tables.
    case constant(TensorStorage, byteOffset: Int)
  }

  package var function: KernelFunction
  package var parameters: ParameterBlock
  package var operands: [Operand]
  package var taskCount: Int

  package init(
    function: KernelFunction, parameters: ParameterBlock, operands: [Operand], taskCount: Int
  ) {
    self.function = function
    self.parameters = parameters
    self.operands = operands
    self.taskCount = taskCount
  }
}

/// A kernel's parameters in memory that does not move.
///
/// `@unchecked Sendable`: written once in `init`, then only read.
package final class ParameterBlock: @unchecked Sendable {
  package let address: UnsafeRawPointer
  fileprivate let retained: [any Sendable]
  private let release: () -> Void

  /// - Parameter retained: what the pointers inside `parameters` point into.
  package init<Parameters: BitwiseCopyable>(
    _ parameters: Parameters, retaining retained: [any Sendable] = []
  ) {
    let pointer = UnsafeMutablePointer<Parameters>.allocate(capacity: 1)
    pointer.initialize(to: parameters)
    address = UnsafeRawPointer(pointer)
    self.retained = retained
    release = { pointer.deallocate() }
  }

  /// Parameters that a kernel's own preparation has laid out.
  package init(bytes: [UInt8], retaining retained: [any Sendable] = []) {
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { pointer.copyMemory(from: base, byteCount: source.count) }
    }
    address = UnsafeRawPointer(pointer)
    self.retained = retained
    release = { pointer.deallocate() }
  }

  fileprivate init(address: UnsafeRawPointer, retaining object: some Sendable) {
    self.address = address
    retained = [object]
    release = {}
  }

  deinit { release() }
}

extension ParameterBlock {
  /// A kernel that is an object.
  package convenience init(object: some AnyObject & Sendable) {
    self.init(
      address: UnsafeRawPointer(Unmanaged.passUnretained(object).toOpaque()), retaining: object)
  }

  /// The object that the kernel is, where it is one of that type.
  package func object<Object: AnyObject>(as type: Object.Type) -> Object? {
    retained.first as? Object
  }
}
