import KernelModel
import ProgramModel
import TensorModel

/// A matrix product of any type and layout through tiles in shared memory.
struct TiledMatrixProduct: CUDATactic {
  let step: MatrixProductStep
  /// Rows and columns of a block's tile: multiples of 16.
  let rows: Int
  let columns: Int

  private let threads = 256
  private let depth = 16

  var name: String { "tile \(rows)x\(columns)" }

  static func variants(_ step: MatrixProductStep) -> [any CUDATactic] {
    let sizes = step.m > 32 && step.n > 32 ? [(64, 64), (32, 32)] : [(32, 32)]
    return sizes.map { TiledMatrixProduct(step: step, rows: $0.0, columns: $0.1) }
  }

  func estimate(_ request: CUDARequest) -> Double {
    let waves = (Double(blocks) / Double(request.gpu.multiprocessors * 4)).rounded(.up)
    // Four blocks share a multiprocessor.
    let blockWork = Double(rows * columns) * Double(step.k) * step.slowdown
    let share = rows * columns >= 4096 ? 0.3 : 0.15
    let rate = request.gpu.scalarMultiplyAdds / Double(request.gpu.multiprocessors) * share
    let perProcessor = min(
      4, (Double(blocks) / Double(request.gpu.multiprocessors)).rounded(.up))
    return request.trafficSeconds + 1.5e-6 + waves * blockWork * perProcessor / rate
  }

  private var blocks: Int {
    step.output.shape.dropLast(2).reduce(1, *) * ceilingQuotient(step.m, rows)
      * ceilingQuotient(step.n, columns)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard step.output.elementCount > 0 else { return StepPlan(launches: []) }
    let launch = KernelLaunch(
      KernelSource(entry: "tiled_matmul", body: try text()), grid: GridSize(blocks),
      threads: threads, arguments: [.input(0), .input(1)] + step.epilogue.arguments)
    return StepPlan(launches: [launch])
  }

  private func text() throws(CUDASourceError) -> String {
    let sum = step.accumulator.name
    let parts =
      step.batchParts + [
        ("row_tile", ceilingQuotient(step.m, rows)),
        ("column_tile", ceilingQuotient(step.n, columns)),
      ]
    let aOffset = DirectText.offset(step.a, step.batchNames + ["0", "0"])
    let bOffset = DirectText.offset(step.b, step.batchNames + ["0", "0"])
    var kernel = KernelText()
    try kernel.block("KERNEL(\(threads)) tiled_matmul(\(step.parameters))") {
      kernel throws(CUDASourceError) in
      kernel.line("SHARED \(sum) as[\(depth)][\(rows + 1)];")
      kernel.line("SHARED \(sum) bs[\(depth)][\(columns + 1)];")
      kernel.lines(DirectText.split("blockIdx.x", into: parts))
      kernel.line("const \(step.aStorage)* ap = a + \(aOffset);")
      kernel.line("const \(step.bStorage)* bp = b + \(bOffset);")
      kernel.line("const int row = threadIdx.x / 16, column = threadIdx.x % 16;")
      kernel.line("\(sum) sum[\(rows / 16)][\(columns / 16)] = {};")
      kernel.block("for (int k0 = 0; k0 < \(step.k); k0 += \(depth))") { kernel in
        let rank = step.output.rank
        fill(
          &kernel, "as", "ap", rows, "row_tile", limit: step.m, stride: step.a.strides[rank - 2],
          depthStride: step.a.strides[rank - 1])
        fill(
          &kernel, "bs", "bp", columns, "column_tile", limit: step.n,
          stride: step.b.strides[rank - 1], depthStride: step.b.strides[rank - 2])
        kernel.line("block_barrier();")
        products(&kernel, sum)
        kernel.line("block_barrier();")
      }
      try results(&kernel)
    }
    return kernel.text
  }

  /// Loads a tile, neighbouring threads along the axis with the shorter stride; zeros outside.
  private func fill(
    _ kernel: inout KernelText, _ tile: String, _ source: String, _ extent: Int,
    _ number: String, limit: Int, stride: Int, depthStride: Int
  ) {
    let isDepthFirst = abs(depthStride) < abs(stride)
    kernel.line("#pragma unroll")
    kernel.block("for (int i = threadIdx.x; i < \(extent * depth); i += \(threads))") { kernel in
      kernel.line(
        isDepthFirst
          ? "const int k = i % \(depth), j = i / \(depth);"
          : "const int j = i % \(extent), k = i / \(extent);")
      kernel.line("const int g = \(number) * \(extent) + j;")
      kernel.line(
        "\(tile)[k][j] = g < \(limit) && k0 + k < \(step.k) ? "
          + "(\(step.accumulator.name))load(\(source)[g * \(stride) + (k0 + k) * \(depthStride)]) : 0;"
      )
    }
  }

  private func products(_ kernel: inout KernelText, _ sum: String) {
    let height = rows / 16, width = columns / 16
    kernel.line("#pragma unroll")
    kernel.block("for (int k = 0; k < \(depth); k++)") { kernel in
      kernel.line("\(sum) u[\(height)], v[\(width)];")
      kernel.line("#pragma unroll")
      kernel.line("for (int i = 0; i < \(height); i++) u[i] = as[k][row + 16 * i];")
      kernel.line("#pragma unroll")
      kernel.line("for (int j = 0; j < \(width); j++) v[j] = bs[k][column + 16 * j];")
      kernel.line("#pragma unroll")
      kernel.line("for (int i = 0; i < \(height); i++)")
      kernel.line("#pragma unroll")
      kernel.line("  for (int j = 0; j < \(width); j++) sum[i][j] += u[i] * v[j];")
    }
  }

  private func results(_ kernel: inout KernelText) throws(CUDASourceError) {
    kernel.line("#pragma unroll")
    try kernel.block("for (int i = 0; i < \(rows / 16); i++)") { kernel throws(CUDASourceError) in
      kernel.line("#pragma unroll")
      try kernel.block("for (int j = 0; j < \(columns / 16); j++)") {
        kernel throws(CUDASourceError) in
        kernel.line("const int m = row_tile * \(rows) + row + 16 * i;")
        kernel.line("const int n = column_tile * \(columns) + column + 16 * j;")
        kernel.line("if (m >= \(step.m) || n >= \(step.n)) continue;")
        kernel.lines(
          try step.epilogue.store(
            step.accumulator.value("sum[i][j]"), at: step.batchNames + ["m", "n"]))
      }
    }
  }
}
