import KernelModel
import TensorModel

/// A kernel for what a library cannot do with its results in single precision: it takes them from their places and
/// puts back what becomes of them.
struct ResultPass {
  /// Of operand 0.
  let expression: ScalarExpression
  let rows: Int
  let columns: Int
  /// Elements from one row to the next.
  let leading: Int

  private let threads = 256

  init(_ expression: ScalarExpression, rows: Int, columns: Int, leading: Int) {
    self.expression = expression
    self.rows = rows
    self.columns = columns
    self.leading = leading
  }

  private var vector: Int { [4, 2].first { columns % $0 == 0 && leading % $0 == 0 } ?? 1 }

  var launch: KernelLaunch {
    get throws(CUDASourceError) {
      let vectors = columns / vector
      let count = rows * vectors
      var text = KernelText()
      try text.block("KERNEL(\(threads)) finish(float* y)") { (text) throws(CUDASourceError) in
        text.line("const int i = blockIdx.x * \(threads) + threadIdx.x;")
        text.line("if (i >= \(count)) return;")
        text.line(
          "float* const place = y + i / \(vectors) * \(leading) + i % \(vectors) * \(vector);")
        text.line("Vector<float, \(vector)> values = load_vector<\(vector)>(place);")
        text.line("#pragma unroll")
        try text.block("for (int j = 0; j < \(vector); j++)") { (text) throws(CUDASourceError) in
          let result = try expression.cudaText(operands: [OperandText("values.at[j]", .float32)])
          text.lines(result.statements)
          text.line("values.at[j] = \(result.stored);")
        }
        text.line("store_vector(place, values);")
      }
      return KernelLaunch(
        KernelSource(entry: "finish", body: text.text),
        grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
        arguments: [.output(0)])
    }
  }
}
