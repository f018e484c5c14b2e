import KernelModel
import ProgramModel

/// The tactics of everything but contractions.
enum ElementwiseTactics {
  @Sendable
  static func candidates(_ request: TacticRequest) -> [any CPUTactic] {
    let tactic: (any CPUTactic)? =
      switch request.step.problem {
      case .pointwise: PointwiseTactic(request)
      case .reduction: ReductionTactic(request) ?? ExtremumTactic(request)
      case .window: PoolingTactic(request)
      case .normalization: RowTactic(request) ?? GroupTactic(request)
      case .copy: CopyTactic(request)
      case .gather: GatherTactic(request)
      case .attention: AttentionTactic(request)
      case .resample: ResamplingTactic(request)
      case .recurrence: RecurrenceTactic(request)
      case .convolution, .matmul, .scatter, .sort, .scan: nil
      }
    return tactic.map { [$0] } ?? []
  }
}
