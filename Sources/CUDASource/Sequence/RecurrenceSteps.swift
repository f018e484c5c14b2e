import KernelModel
import ProgramModel
import TensorModel

/// A recurrent layer as one launch for each time step: a warp for each unit, so that the whole GPU
/// reads the recurrent weights.
struct RecurrenceSteps: CUDATactic {
  private let shape: RecurrenceShape

  let name = "recurrence steps"
  private static let limit = 1024
  private static let warps = 4

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = RecurrenceShape(request.step), !shape.isEmpty, !shape.resetsBefore,
      (1...limit).contains(shape.steps), shape.size >= 32, shape.batch <= 1 << 16,
      shape.directions * shape.steps * shape.batch * shape.rows < 1 << 31
    else { return [] }
    return [RecurrenceSteps(shape: shape)]
  }

  /// Sequences that a warp advances together.
  private var batchPerWarp: Int { min(shape.batch, 4) }

  func estimate(_ request: CUDARequest) -> Double {
    let weights = Double(shape.directions * shape.rows * shape.size * shape.r.dataType.byteCount)
    let passes = Double(ceilingQuotient(shape.batch, batchPerWarp))
    let step = request.launchSeconds + 2.0e-6 + weights * passes / 3e12
    return RecurrenceProjection(shape: shape).estimate(request) + Double(shape.steps) * step
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let states = shape.directions * shape.batch * shape.size * shape.realBytes
    let stateBytes = ceilingQuotient(states, 256) * 256
    let first = shape.projectedBytes
    let numbers = first + 3 * stateBytes
    let source = KernelSource(entry: "recurrence_step", body: try body())
    var launches = RecurrenceProjection(shape: shape).launches(
      projected: .workspace(0), numbers: .workspace(numbers))
    for step in 0..<shape.steps {
      let cell: [KernelLaunch.Argument] = shape.isLSTM ? [.workspace(first + 2 * stateBytes)] : []
      launches.append(
        KernelLaunch(
          source,
          grid: GridSize(
            ceilingQuotient(shape.size, Self.warps), ceilingQuotient(shape.batch, batchPerWarp),
            shape.directions),
          threads: Self.warps * 32,
          arguments: [
            .workspace(numbers + 4 * step), .input(2), .workspace(0),
            .workspace(first + step % 2 * stateBytes),
            .workspace(first + (step + 1) % 2 * stateBytes),
          ] + cell + shape.loopArguments))
    }
    return StepPlan(
      launches: launches, workspaceBytes: numbers + ceilingQuotient(4 * shape.steps, 256) * 256)
  }

  private func body() throws(CUDASourceError) -> String {
    var text = KernelText()
    let real = shape.real
    text.line(try shape.activations())
    let parameters =
      [
        "const int32_t* __restrict__ number",
        "const \(shape.r.dataType.cudaStorage ?? "float")* __restrict__ r",
        "const \(real)* __restrict__ projected", "const \(real)* __restrict__ before",
        "\(real)* __restrict__ after",
      ] + (shape.isLSTM ? ["\(real)* __restrict__ cells"] : []) + shape.loopParameters
    text.block(
      "KERNEL(\(Self.warps * 32)) recurrence_step(\(parameters.joined(separator: ", ")))"
    ) { text in
      text.line(
        """
        const int step = *number, lane = lane_index(), d = blockIdx.z;
        const int u = blockIdx.x * \(Self.warps) + warp_index(), first = blockIdx.y * \(batchPerWarp);
        if (u >= \(shape.size)) return;
        \(real) sums[\(shape.gates)][\(batchPerWarp)] = {};
        """)
      products(&text)
      text.line("#pragma unroll")
      text.block("for (int n = 0; n < \(batchPerWarp); n++)") { text in
        text.line(
          """
          const int b = first + n;
          if (lane != n || b >= \(shape.batch)) continue;
          """)
        advance(&text)
      }
    }
    return text.text
  }

  /// `sums`: the products of the unit's weights with the hidden states.
  private func products(_ text: inout KernelText) {
    let real = shape.real
    let length = shape.r.vectorLength(limit: 16 / shape.r.dataType.byteCount)
    let weights = shape.place(shape.r, ["d", "(g * \(shape.size) + u)", "k"])
    let initial =
      shape.initialHidden.map {
        "load(initial_hidden[\(shape.place($0, ["d", "b", "(k + i)"]))])"
      } ?? "0"
    text.line("#pragma unroll 2")
    text.block("for (int k = lane * \(length); k < \(shape.size); k += \(32 * length))") { text in
      text.line("\(real) weights[\(shape.gates)][\(length)], hidden[\(length)];")
      text.line("#pragma unroll")
      text.block("for (int g = 0; g < \(shape.gates); g++)") {
        $0.line(
          """
          const Vector<\(shape.r.dataType.cudaStorage ?? "float"), \(length)> some = load_vector<\(length)>(r + \(weights));
          #pragma unroll
          for (int i = 0; i < \(length); i++) weights[g][i] = load(some.at[i]);
          """)
      }
      text.line("#pragma unroll")
      text.block("for (int n = 0; n < \(batchPerWarp); n++)") {
        $0.line(
          """
          const int b = min(first + n, \(shape.batch - 1));
          #pragma unroll
          for (int i = 0; i < \(length); i++) hidden[i] = step == 0 ? (\(real))\(initial) : before[(d * \(shape.batch) + b) * \(shape.size) + k + i];
          #pragma unroll
          for (int g = 0; g < \(shape.gates); g++)
            #pragma unroll
            for (int i = 0; i < \(length); i++) sums[g][n] += weights[g][i] * hidden[i];
          """)
      }
    }
    text.line(
      """
      #pragma unroll
      for (int g = 0; g < \(shape.gates); g++)
        #pragma unroll
        for (int n = 0; n < \(batchPerWarp); n++)
          #pragma unroll
          for (int i = 16; i > 0; i /= 2) sums[g][n] += shuffle_xor(sums[g][n], i);
      """)
  }

  /// The new state of the unit in the sequence `b`.
  private func advance(_ text: inout KernelText) {
    let real = shape.real
    text.line(
      """
      const int place = (d * \(shape.batch) + b) * \(shape.size) + u;
      \(real) hidden = step == 0 ? \(shape.initial(shape.initialHidden, "initial_hidden")) : before[place];
      """)
    if shape.isLSTM {
      text.line(
        "\(real) cell = step == 0 ? \(shape.initial(shape.initialCell, "initial_cell")) : cells[place];"
      )
    }
    text.lines(shape.time)
    text.block("if (is_active)") { text in
      text.line(
        """
        \(real) given[\(shape.gates)], recurrent[\(shape.gates)];
        #pragma unroll
        for (int g = 0; g < \(shape.gates); g++) {
          given[g] = projected[\(shape.projectedPlace) + g * \(shape.size) + u];
          recurrent[g] = sums[g][n];
        }
        """)
      if shape.resetsAfter { text.line("recurrent[2] = recurrent[2]\(shape.candidateBias);") }
      text.lines(shape.cell)
      text.line("hidden = next_hidden;")
      if shape.isLSTM { text.line("cell = next_cell;") }
    }
    text.line(shape.store("all", shape.all, ["t", "d", "b", "u"], "is_active ? hidden : 0"))
    text.line("after[place] = hidden;")
    if shape.isLSTM { text.line("cells[place] = cell;") }
    text.block("if (step == \(shape.steps - 1))") { text in
      text.line(shape.store("last_hidden", shape.lastHidden, ["d", "b", "u"], "hidden"))
      if let lastCell = shape.lastCell {
        text.line(shape.store("last_cell", lastCell, ["d", "b", "u"], "cell"))
      }
    }
  }
}
