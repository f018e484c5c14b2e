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
    plan.product = product
    guard let rest else { return plan }
    let vectors = product.columns / 4
    let count = product.rows * vectors
    var text = KernelText()
    try text.block("KERNEL(256) finish(float* y)") { (text) throws(CUDASourceError) in
      text.line("const int i = blockIdx.x * 256 + threadIdx.x;")
      text.line("if (i >= \(count)) return;")
      text.line(
        "float* const place = y + i / \(vectors) * \(product.output.leading) + i % \(vectors) * 4;")
      text.line("Vector<float, 4> values = load_vector<4>(place);")
      text.line("#pragma unroll")
      try text.block("for (int j = 0; j < 4; j++)") { (text) throws(CUDASourceError) in
        let result = try rest.cudaText(operands: [OperandText("values.at[j]", .float32)])
        text.lines(result.statements)
        text.line("values.at[j] = \(result.stored);")
      }
      text.line("store_vector(place, values);")
    }
    plan.launches = [
      KernelLaunch(
        KernelSource(entry: "finish", body: text.text), grid: GridSize(ceilingQuotient(count, 256)),
        threads: 256, arguments: [.output(0)])
    ]
    return plan
  }
}
