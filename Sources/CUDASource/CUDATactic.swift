package import ProgramModel

/// One way to compute a step on a GPU.
///
/// A family of tactics is a query: it looks at the step's problem, types and strides and returns those
/// that can compute it, best guess first. Tactics only write text; no GPU is needed to ask them.
package protocol CUDATactic: Sendable {
  /// Stable over versions, unique among the tactics of a step: `implicit gemm mma 128x64x32`.
  var name: String { get }
  /// The cost model's guess, in seconds.
  func estimate(_ request: CUDARequest) -> Double
  /// The kernels. Pure: the same request gives the same text.
  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan
}

/// A step that wants a tactic, with what is known of its surroundings.
package struct CUDARequest: Sendable {
  package var step: Step
  /// Which inputs are constants: their memory may be repacked when the program is loaded.
  package var isConstant: [Bool]
  package var gpu: GPUProperties
  /// Whether the end of the first input is what the cache still holds, so that kernels with many rounds of
  /// blocks had better begin there.
  package var prefersBackward = false

  package init(step: Step, isConstant: [Bool], gpu: GPUProperties) {
    self.step = step
    self.isConstant = isConstant
    self.gpu = gpu
  }

  package init(step: Step, in program: Program, gpu: GPUProperties) {
    self.init(
      step: step, isConstant: step.inputs.map { program.constant($0) != nil }, gpu: gpu)
  }

  /// The time to move the step's operands through device memory once, and to launch one kernel.
  package var trafficSeconds: Double { step.trafficBytes / gpu.memoryBandwidth + launchSeconds }
  /// Kernel to kernel inside a graph.
  package var launchSeconds: Double { 1.5e-6 }
}

/// Why a tactic cannot write a kernel.
package struct CUDASourceError: Error, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

/// Every way to compute a step on a GPU, family by family. A new tactic is its own file and a line in its
/// family's list; a new family is a line here.
package enum CUDATacticCatalog {
  /// The tactics that can compute a step, in order of preference; empty where only the host can.
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard request.isAddressable else { return [] }
    var result: [any CUDATactic] = []
    for family in families { result += family(request) }
    return result
  }

  /// The tactic of a name; nil where there is none.
  package static func tactic(named name: String, for request: CUDARequest) -> (any CUDATactic)? {
    guard request.isAddressable else { return nil }
    for family in families {
      if let found = family(request).first(where: { $0.name == name }) { return found }
    }
    return nil
  }

  private static let families: [@Sendable (CUDARequest) -> [any CUDATactic]] = [
    HopperKernels.tactics,
    ContractionKernels.tactics,
    DirectKernels.tactics,
    ConvolutionLibraryTactic.candidates,
    MovementKernels.tactics,
    ReductionKernels.tactics,
    SequenceKernels.tactics,
  ]
}

extension CUDARequest {
  /// Whether kernels can hold every element type and count every element in 31 bits.
  fileprivate var isAddressable: Bool {
    (step.inputs.compactMap { $0 } + step.outputs).allSatisfy { view in
      guard view.dataType.cudaStorage != nil else { return false }
      let reach = zip(view.shape, view.strides).reduce(0.0) {
        $0 + Double(max($1.0 - 1, 0)) * Double(abs($1.1))
      }
      return reach < 0x1p31 && view.shape.reduce(1.0, { $0 * Double($1) }) < 0x1p31
    }
  }
}
