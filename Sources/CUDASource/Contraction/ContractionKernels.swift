import KernelModel
import TensorModel

/// Convolutions and matrix products as implicit matrix products.
package enum ContractionKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let contraction = Contraction(request) else { return [] }
    if contraction.isEmpty { return [EmptyTactic()] }
    var tactics: [any CUDATactic] = VectorTactic.candidates(contraction, request)
    let isExact = contraction.type == .float32 && contraction.arithmetic == .exact
    if isExact {
      tactics += TileTactic.candidates(contraction, .scalar, count: 8, request)
      tactics += LibraryTactic.candidates(contraction, request)
    } else {
      tactics += TileTactic.candidates(contraction, .tensorCore, count: 8, request)
    }
    return tactics
  }
}

/// A result without elements.
struct EmptyTactic: CUDATactic {
  var name: String { "empty" }
  func estimate(_ request: CUDARequest) -> Double { 0 }
  func plan(_ request: CUDARequest) -> StepPlan { StepPlan(launches: []) }
}
