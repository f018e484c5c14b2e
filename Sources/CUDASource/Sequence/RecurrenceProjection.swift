import KernelModel
import ProgramModel

/// What the input and the biases add to every gate, for all time steps at once: a matrix product.
struct RecurrenceProjection {
  let shape: RecurrenceShape

  private static let tile = 64
  private static let depth = 16
  private var lines: Int { shape.steps * shape.batch }
  private var rowsPerThread: Int { lines <= 16 ? 1 : 4 }
  private var tileLines: Int { 16 * rowsPerThread }

  /// - Parameters:
  ///   - projected: where the results go, `[D, T, B, rows]`.
  ///   - numbers: where the numbers of the steps go, if anywhere.
  func launches(
    projected: KernelLaunch.Argument, numbers: KernelLaunch.Argument? = nil
  ) -> [KernelLaunch] {
    if lines == 0 { return [] }
    let biases: [KernelLaunch.Argument] = shape.bias == nil ? [] : [.input(3)]
    let grid = GridSize(
      ceilingQuotient(lines, tileLines), ceilingQuotient(shape.rows, Self.tile), shape.directions)
    return [
      KernelLaunch(
        KernelSource(entry: "recurrence_input", body: body(writesNumbers: numbers != nil)),
        grid: grid, threads: 256,
        arguments: [.input(0), .input(1)] + biases + [projected] + (numbers.map { [$0] } ?? []))
    ]
  }

  func estimate(_ request: CUDARequest) -> Double {
    let products = Double(lines) * Double(shape.rows * shape.directions * shape.inputSize)
    return request.launchSeconds + products / (0.3 * request.gpu.scalarMultiplyAdds)
      + Double(ceilingQuotient(shape.inputSize, Self.depth)) * 0.5e-6
  }

  private func body(writesNumbers: Bool) -> String {
    func parameter(_ view: View, _ name: String) -> String {
      "const \(view.dataType.cudaStorage ?? "float")* __restrict__ \(name)"
    }
    let parameters =
      [parameter(shape.x, "x"), parameter(shape.w, "w")]
      + (shape.bias.map { [parameter($0, "bias")] } ?? [])
      + ["\(shape.real)* __restrict__ projected"]
      + (writesNumbers ? ["int32_t* __restrict__ numbers"] : [])
    var text = KernelText()
    text.block("KERNEL(256) recurrence_input(\(parameters.joined(separator: ", ")))") { text in
      text.line(
        """
        SHARED \(shape.real) xs[\(Self.depth)][\(tileLines + 4)], ws[\(Self.depth)][\(Self.tile + 4)];
        const int first_line = blockIdx.x * \(tileLines), first_row = blockIdx.y * \(Self.tile), d = blockIdx.z;
        const int line_place = threadIdx.x / 16 * \(rowsPerThread), row_place = threadIdx.x % 16;
        \(shape.real) sums[\(rowsPerThread)][4] = {};
        """)
      if writesNumbers {
        text.line(
          """
          if (blockIdx.x == 0 && blockIdx.y == 0 && d == 0)
            for (int i = threadIdx.x; i < \(shape.steps); i += 256) numbers[i] = i;
          """)
      }
      text.block("for (int from = 0; from < \(shape.inputSize); from += \(Self.depth))") {
        multiply(&$0)
      }
      store(&text)
    }
    return text.text
  }

  private func multiply(_ text: inout KernelText) {
    let x = shape.place(shape.x, ["(line / \(shape.batch))", "(line % \(shape.batch))", "k"])
    let w = shape.place(shape.w, ["d", "row", "k"])
    let depth = Self.depth
    text.line(
      """
      for (int at = threadIdx.x; at < \(tileLines * depth); at += 256) {
        const int line = first_line + at / \(depth), k = from + at % \(depth);
        xs[at % \(depth)][at / \(depth)] = line < \(lines) && k < \(shape.inputSize) ? (\(shape.real))load(x[\(x)]) : 0;
      }
      for (int at = threadIdx.x; at < \(Self.tile * depth); at += 256) {
        const int row = first_row + at / \(depth), k = from + at % \(depth);
        ws[at % \(depth)][at / \(depth)] = row < \(shape.rows) && k < \(shape.inputSize) ? (\(shape.real))load(w[\(w)]) : 0;
      }
      block_barrier();
      #pragma unroll
      for (int k = 0; k < \(depth); k++)
        #pragma unroll
        for (int i = 0; i < \(rowsPerThread); i++)
          #pragma unroll
          for (int j = 0; j < 4; j++) sums[i][j] += xs[k][line_place + i] * ws[k][row_place + j * 16];
      block_barrier();
      """)
  }

  private func store(_ text: inout KernelText) {
    var terms = ""
    if let bias = shape.bias {
      let own = shape.place(bias, ["d", "row"])
      let other = shape.place(bias, ["d", "(row + \(shape.rows))"])
      let value = "(\(shape.real))load(bias[\(other)])"
      // The recurrent bias of a candidate that is reset goes with its product.
      let shared =
        shape.resetsAfter ? "(row < \(2 * shape.size) ? \(value) : 0)" : value
      terms = " + (\(shape.real))load(bias[\(own)]) + \(shared)"
    }
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(rowsPerThread); i++)") {
      $0.line(
        """
        const int line = first_line + line_place + i;
        #pragma unroll
        for (int j = 0; j < 4; j++) {
          const int row = first_row + row_place + j * 16;
          if (line < \(lines) && row < \(shape.rows)) projected[(d * \(lines) + line) * \(shape.rows) + row] = sums[i][j]\(terms);
        }
        """)
    }
  }
}
