import KernelModel
import TensorModel

/// A product by cuBLASLt, with what it cannot do in a kernel of its own.
struct LibraryTactic: CUDATactic {
  let product: LibraryProduct
  /// What becomes of `a * b + residual + bias`; nil for nothing.
  let rest: ScalarExpression?

  var name: String { "cublaslt \(product.choice + 1)" }

  private static let suggestions = 3
  private static let workspaceBytes = 8 << 20
  /// Smaller products are not worth a library.
  private static let least = 1e9

  static func candidates(_ contraction: Contraction, _ request: CUDARequest) -> [LibraryTactic] {
    guard request.gpu.hasMatrixLibrary, contraction.type == .float32,
      contraction.arithmetic == .exact, contraction.multiplyAdds >= least,
      let (product, rest) = LibraryProduct.of(contraction, workspaceBytes: workspaceBytes)
    else { return [] }
    return (0..<suggestions).map { choice in
      var product = product
      product.choice = choice
      return LibraryTactic(product: product, rest: rest)
    }
  }

  func estimate(_ request: CUDARequest) -> Double {
    let products =
      Double(product.rows) * Double(product.columns) * Double(product.depth)
    let passes = rest == nil ? 0 : 8 * Double(product.rows) * Double(product.columns)
    // The library's later suggestions are seldom better.
    return max(products / request.gpu.scalarMultiplyAdds, request.trafficSeconds)
      * (1 + 0.01 * Double(product.choice)) + passes / request.gpu.memoryBandwidth
      + 2 * request.launchSeconds
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    var plan = StepPlan(launches: [], workspaceBytes: product.workspaceBytes)
    plan.call = .product(product)
    if let rest {
      plan.launches = [
        try ResultPass(
          rest, rows: product.rows, columns: product.columns, leading: product.output.leading
        ).launch
      ]
    }
    return plan
  }
}
