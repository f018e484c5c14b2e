import KernelModel
import ProgramModel
import TensorModel

/// Updates of elements at places that indices name: the data is copied, then updated.
enum ScatterTactics {
  /// Up to this many indices that may name one place, each is compared with every other.
  private static let maximumComparisons = 4096

  static func candidates(_ request: CUDARequest, _ problem: Scatter) -> [any CUDATactic] {
    guard let layout = ScatterLayout(request.step, problem) else { return [] }
    if layout.output.elementCount == 0 { return [NothingTactic()] }
    guard let copy = copy(request, layout) else { return [] }
    if layout.updates.elementCount == 0 {
      return [ScatterTactic(method: .nothing, layout: layout, copy: copy)]
    }
    var result: [any CUDATactic] = []
    if layout.competitors <= maximumComparisons {
      result.append(ScatterTactic(method: .ordered, layout: layout, copy: copy))
    }
    if problem.combination == .replace {
      result.append(ScatterTactic(method: .numbered, layout: layout, copy: copy))
    } else {
      result.append(ScatterTactic(method: .atomic, layout: layout, copy: copy))
    }
    return result
  }

  /// Kernels that copy the data to the output, if it is not there.
  private static func copy(_ request: CUDARequest, _ layout: ScatterLayout) -> [KernelLaunch]? {
    if layout.data.isSamePlace(as: layout.output) { return [] }
    let jobs = ElementwiseJob.copy(layout.data, layout.output)
    guard let movement = try? jobs.first?.movement(request.step) else { return nil }
    return try? ElementTactic.candidates(request, "copy", [movement]).first?.launches()
  }
}

/// What the kernels of a scatter share.
struct ScatterLayout: Sendable {
  var problem: Scatter
  var data: View
  var indices: View
  var updates: View
  var output: View
  /// The axes of data that indices address.
  var axes: [Int]

  init?(_ step: Step, _ problem: Scatter) {
    guard step.inputs.count == 3, let data = step.inputs[0], let indices = step.inputs[1],
      let updates = step.inputs[2], let output = step.outputs.first
    else { return nil }
    self.problem = problem
    self.data = data
    self.indices = indices
    self.updates = updates
    self.output = output
    switch problem.kind {
    case .elements(let axis): axes = [axis]
    case .coordinates: axes = Array(0..<(indices.shape.last ?? 0))
    }
  }

  /// The axis along which elements compete for places; nil: all tuples compete.
  var axis: Int? {
    if case .elements(let axis) = problem.kind { axis } else { nil }
  }

  /// How many updates may go to one place.
  var competitors: Int {
    if let axis { return indices.shape[axis] }
    return tuples
  }

  /// Places that indices name, each for a slice of updates.
  var tuples: Int {
    axis == nil ? indices.shape.dropLast().reduce(1, *) : indices.elementCount
  }

  /// Places of data that indices can name.
  var targets: Int {
    axis == nil ? axes.reduce(1) { $0 * data.shape[$1] } : data.elementCount
  }
}

struct ScatterTactic: CUDATactic {
  enum Method: String {
    /// No updates.
    case nothing
    /// The first update of each place applies all of them, in their order.
    case ordered
    /// The greatest number of an update of each place is found first, and that update wins.
    case numbered
    /// Updates in any order.
    case atomic
  }

  var method: Method
  var layout: ScatterLayout
  var copy: [KernelLaunch]

  var name: String { "scatter \(method.rawValue)" }

  func estimate(_ request: CUDARequest) -> Double {
    let bandwidth = request.gpu.memoryBandwidth
    let updates = Double(layout.updates.elementCount)
    let bytes = Double(layout.data.dataType.byteCount)
    var seconds = request.launchSeconds * Double(copy.count + 1)
    if !copy.isEmpty { seconds += 2 * Double(layout.data.elementCount) * bytes / bandwidth }
    seconds += updates * (bytes + 32) / bandwidth
    switch method {
    case .nothing: break
    case .ordered:
      seconds +=
        Double(layout.tuples) * Double(layout.competitors) * 2e-9
        / Double(request.gpu.multiprocessors)
      seconds += layout.axis == nil ? request.launchSeconds + 1e-6 : 0
    case .numbered:
      seconds += 2 * request.launchSeconds + Double(layout.targets) * 8 / bandwidth
    case .atomic: seconds += updates * 64 / bandwidth
    }
    return seconds
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let kernels = try ScatterKernels(layout)
    switch method {
    case .nothing: return StepPlan(launches: copy)
    case .atomic: return StepPlan(launches: copy + [try kernels.atomic()])
    case .numbered:
      let bytes = 4 * layout.targets
      return StepPlan(
        launches: copy + [kernels.number(), try kernels.writeNumbered()], workspaceBytes: bytes,
        zeroedWorkspaceBytes: bytes)
    case .ordered:
      if layout.axis != nil { return StepPlan(launches: copy + [try kernels.orderedElements()]) }
      return StepPlan(
        launches: copy + [kernels.chain(), try kernels.orderedSlices()],
        workspaceBytes: 8 * layout.tuples)
    }
  }
}
