import KernelModel
import ProgramModel
import TensorModel

/// A matrix product with what its kernels need to know: views with batch axes broadcast to the output's.
struct MatrixProductStep: Sendable {
  /// `[batch..., M, K]`.
  let a: View
  /// `[batch..., K, N]`.
  let b: View
  let epilogue: DirectEpilogue

  init?(_ request: CUDARequest) {
    guard case .matmul(let problem) = request.step.problem, request.step.inputs.count >= 2,
      let a = request.step.inputs[0], let b = request.step.inputs[1], a.rank >= 2, b.rank >= 2,
      let sum = a.dataType.sumOfProducts(with: b.dataType),
      let epilogue = DirectEpilogue(request, valueType: sum), epilogue.output.rank >= 2
    else { return nil }
    let batch = Array(epilogue.output.shape.dropLast(2))
    self.a = Self.matrices(a, isTransposed: problem.transposesA, batch: batch)
    self.b = Self.matrices(b, isTransposed: problem.transposesB, batch: batch)
    self.epilogue = epilogue
  }

  private static func matrices(_ view: View, isTransposed: Bool, batch: [Int]) -> View {
    var order = Array(view.shape.indices)
    if isTransposed { order.swapAt(view.rank - 1, view.rank - 2) }
    let matrix = view.transposed(order)
    return matrix.expanded(to: batch + matrix.shape.suffix(2))
  }

  var aStorage: String { DirectText.storage(a.dataType) }
  var bStorage: String { DirectText.storage(b.dataType) }
  var output: View { epilogue.output }
  var batchRank: Int { output.rank - 2 }
  var m: Int { output.shape[output.rank - 2] }
  var n: Int { output.shape[output.rank - 1] }
  var k: Int { a.shape[a.rank - 1] }
  var accumulator: Accumulator { Accumulator(a.dataType) }
  var multiplyAdds: Double { Double(output.elementCount) * Double(k) }
  var batchParts: [(name: String, extent: Int)] {
    (0..<batchRank).map { ("b\($0)", output.shape[$0]) }
  }
  var batchNames: [String] { (0..<batchRank).map { "b\($0)" } }

  /// How much slower than in single precision a type's arithmetic is.
  var slowdown: Double { a.dataType.byteCount == 8 ? 2 : 1 }

  var parameters: String {
    (["const \(aStorage)* __restrict__ a", "const \(bStorage)* __restrict__ b"]
      + epilogue.parameters).joined(separator: ", ")
  }
}

/// A matrix product of any type and layout, a thread for each element.
struct DirectMatrixProduct: CUDATactic {
  let step: MatrixProductStep

  private let threads = 128

  var name: String { "direct" }

  func estimate(_ request: CUDARequest) -> Double {
    let filling = min(
      1, Double(step.output.elementCount) / Double(request.gpu.multiprocessors * 1024))
    return request.trafficSeconds + 1e-6 + step.multiplyAdds * step.slowdown
      / (request.gpu.scalarMultiplyAdds * 0.04 * max(filling, 0.02))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let count = step.output.elementCount
    guard count > 0 else { return StepPlan(launches: []) }
    let launch = KernelLaunch(
      KernelSource(entry: "direct_matmul", body: try text(count)),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(0), .input(1)] + step.epilogue.arguments)
    return StepPlan(launches: [launch])
  }

  private func text(_ count: Int) throws(CUDASourceError) -> String {
    let rank = step.output.rank
    let names = step.batchNames + ["m", "n"]
    let parts = step.output.order.map { (name: names[$0], extent: step.output.shape[$0]) }
    let sum = step.accumulator.name
    let aOffset = DirectText.offset(step.a, step.batchNames + ["m", "0"])
    let bOffset = DirectText.offset(step.b, step.batchNames + ["0", "n"])
    var kernel = KernelText()
    try kernel.block("KERNEL(\(threads)) direct_matmul(\(step.parameters))") {
      kernel throws(CUDASourceError) in
      kernel.lines(DirectText.linear(count, threads: threads))
      kernel.lines(DirectText.split("i", into: parts))
      kernel.line("const \(step.aStorage)* ap = a + \(aOffset);")
      kernel.line("const \(step.bStorage)* bp = b + \(bOffset);")
      kernel.line("\(sum) sum = 0;")
      kernel.line("#pragma unroll 8")
      kernel.line("for (int k = 0; k < \(step.k); k++)")
      kernel.line(
        "  sum += (\(sum))load(ap[k * \(step.a.strides[rank - 1])])"
          + " * (\(sum))load(bp[k * \(step.b.strides[rank - 2])]);")
      kernel.lines(try step.epilogue.store(step.accumulator.value("sum"), at: names))
    }
    return kernel.text
  }
}
