import KernelModel
import ProgramModel

/// Kernels whose elements depend on an order: attention, recurrent layers, sorting and running sums.
package enum SequenceKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    switch request.step.problem {
    case .attention: attention(request)
    case .recurrence: recurrence(request)
    case .sort: sort(request)
    case .scan: scan(request)
    default: []
    }
  }

  private static func attention(_ request: CUDARequest) -> [any CUDATactic] {
    MatrixAttention.tactics(for: request) + TiledAttention.tactics(for: request)
      + RowAttention.tactics(for: request)
  }

  private static func recurrence(_ request: CUDARequest) -> [any CUDATactic] {
    RecurrenceSteps.tactics(for: request) + RecurrenceLoop.tactics(for: request)
  }

  private static func sort(_ request: CUDARequest) -> [any CUDATactic] {
    BlockSort.tactics(for: request) + SelectSort.tactics(for: request)
      + MergeSort.tactics(for: request)
  }

  private static func scan(_ request: CUDARequest) -> [any CUDATactic] {
    LaneScan.tactics(for: request) + BlockScan.tactics(for: request)
  }
}
