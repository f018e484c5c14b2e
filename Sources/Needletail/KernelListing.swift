package import CUDASource
import DeviceInterface
import ProgramModel

/// The CUDA kernels of a program as text, with the cost model's tactics. No GPU is needed.
package enum KernelListing {
  /// Chips that need not be there.
  package static let chips: [String: GPUProperties] = ["sm_80": .a100, "sm_90": .h200]

  /// Every step with its launches, then every kernel once, without the prelude that all of them share.
  ///
  /// - Parameter context: of an engine on any device.
  package static func text(
    _ context: ExecutionContext, for gpu: GPUProperties
  ) throws(NeedletailError) -> String {
    guard let program = try context.plan.programWithJoinedSums() else {
      throw NeedletailError(.engine, "the engine has no kernels: all of it runs on the host")
    }
    return try text(program, for: gpu)
  }

  private static func text(
    _ program: Program, for gpu: GPUProperties
  ) throws(NeedletailError) -> String {
    var numbers: [KernelSource: Int] = [:]
    var kernels: [KernelSource] = []
    var steps = ""
    for step in program.steps {
      let request = CUDARequest(step: step, in: program, gpu: gpu)
      guard let tactic = best(CUDATacticCatalog.tactics(for: request), request) else {
        steps += "// '\(step.name)': host\n"
        continue
      }
      steps += "// '\(step.name)': \(tactic.name)\n"
      let plan: StepPlan
      do { plan = try tactic.plan(request) } catch {
        throw NeedletailError(
          .build, "step '\(step.name)', tactic '\(tactic.name)': \(error.description)")
      }
      for (launch, isPreparation) in plan.preparation.map({ ($0, true) })
        + plan.launches.map({ ($0, false) })
      {
        let number = numbers[launch.source] ?? kernels.count
        if number == kernels.count {
          numbers[launch.source] = number
          kernels.append(launch.source)
        }
        steps += "//   \(isPreparation ? "once, " : "")kernel \(number): \(launch.summary)\n"
      }
    }
    let bodies = kernels.enumerated().map { "\n// kernel \($0.offset)\n\($0.element.body)" }
    return steps + bodies.joined()
  }

  private static func best(
    _ tactics: [any CUDATactic], _ request: CUDARequest
  ) -> (any CUDATactic)? {
    let guesses = tactics.map { $0.estimate(request) }
    // The first of equals, as the tuner does without measuring.
    return zip(tactics, guesses).first { $0.1 == guesses.min() }?.0
  }
}

extension KernelLaunch {
  fileprivate var summary: String {
    var words = ["\(grid.x) x \(grid.y) x \(grid.z) blocks of \(threads) threads"]
    if sharedBytes > 0 { words.append("\(sharedBytes) bytes of shared memory") }
    if clusterSize > 1 { words.append("clusters of \(clusterSize)") }
    return words.joined(separator: ", ")
  }
}
