import KernelModel
import ProgramModel

/// Kernels that move elements, with or without arithmetic on the way.
package enum MovementKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let output = request.step.outputs.first else { return [] }
    return switch request.step.problem {
    case .copy(.pad(let mode, let before, _)): PadTactic.candidates(request, mode, before)
    case .pointwise, .copy: elementwise(request, output)
    case .gather(let problem): GatherTactic.candidates(request, problem)
    case .scatter(let problem): ScatterTactics.candidates(request, problem)
    case .resample(let problem): ResampleTactics.candidates(request, problem)
    default: []
    }
  }

  private static func elementwise(_ request: CUDARequest, _ output: View) -> [any CUDATactic] {
    guard let jobs = ElementwiseJob.jobs(request.step) else {
      return ReshapeTactic.candidates(request)
    }
    if jobs.isEmpty { return [NothingTactic()] }
    var movements: [ElementMovement] = []
    for job in jobs {
      guard let movement = try? job.movement(request.step) else { return [] }
      movements.append(movement)
    }
    return TransposeTactic.candidates(request, jobs)
      + ElementTactic.candidates(request, "elementwise", movements)
  }
}

/// What an empty output takes.
struct NothingTactic: CUDATactic {
  var name: String { "nothing" }
  func estimate(_ request: CUDARequest) -> Double { 0 }
  func plan(_ request: CUDARequest) -> StepPlan { StepPlan(launches: []) }
}
