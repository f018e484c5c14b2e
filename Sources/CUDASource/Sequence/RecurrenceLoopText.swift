import KernelModel
import ProgramModel
import TensorModel

/// The text of `RecurrenceLoop`.
struct RecurrenceLoopText {
  let tactic: RecurrenceLoop

  private var shape: RecurrenceShape { tactic.shape }
  private var real: String { shape.real }
  private var weightType: String { shape.r.dataType.cudaStorage ?? "float" }
  private var sequences: Int { tactic.sequences }
  private var vector: String { "Vector<\(weightType), \(tactic.length)>" }

  /// Repacks the recurrent weights: `[D, groups, rows, length]`, zeros beyond the hidden size.
  var packing: String {
    let (rows, length) = (shape.rows, tactic.length)
    let total = shape.directions * tactic.groups * rows * length
    let place = shape.place(shape.r, ["d", "row", "k"])
    var text = KernelText()
    let parameters =
      "const \(weightType)* __restrict__ r, \(weightType)* __restrict__ packed"
    text.block("KERNEL(256) recurrence_weights(\(parameters))") {
      $0.line(
        """
        const int at = blockIdx.x * 256 + threadIdx.x;
        if (at >= \(total)) return;
        const int row = at / \(length) % \(rows), group = at / \(rows * length);
        const int k = group % \(tactic.groups) * \(length) + at % \(length), d = group / \(tactic.groups);
        packed[at] = k < \(shape.size) ? r[\(place)] : store<\(weightType)>(0);
        """)
    }
    return text.text
  }

  func body() throws(CUDASourceError) -> String {
    var text = KernelText()
    text.line(try shape.activations())
    let parameters =
      ["const \(weightType)* __restrict__ packed", "const \(real)* __restrict__ projected"]
      + shape.loopParameters
    text.block(
      "KERNEL(\(tactic.threads)) recurrence_loop(\(parameters.joined(separator: ", ")))"
    ) { text in
      begin(&text)
      text.block("for (int step = 0; step < \(shape.steps); step++)") { text in
        loadInputs(&text)
        if shape.resetsBefore {
          products(&text, rows: 2 * shape.size, first: 0, of: "state")
          forEachUnit(&text) { reset(&$0) }
          text.line("block_barrier();")
          products(&text, rows: shape.size, first: 2 * shape.size, of: "kept")
        } else {
          products(&text, rows: shape.rows, first: 0, of: "state")
        }
        forEachUnit(&text) { advance(&$0) }
        text.line("block_barrier();")
      }
      forEachUnit(&text) { text in
        text.line(
          shape.store(
            "last_hidden", shape.lastHidden, ["d", "b", "u"],
            "state[n * \(tactic.statePitch) + u]"))
        if let lastCell = shape.lastCell {
          text.line(
            shape.store("last_cell", lastCell, ["d", "b", "u"], "cells[n * \(shape.size) + u]"))
        }
      }
    }
    return text.text
  }

  /// A loop over the thread's units `u` of sequences `b`, number `n` of the block.
  private func forEachUnit(_ text: inout KernelText, _ body: (inout KernelText) -> Void) {
    text.line("#pragma unroll")
    text.block("for (int own = 0; own < \(tactic.unitsPerThread); own++)") { text in
      text.line(
        """
        const int at = own * \(tactic.threads) + threadIdx.x, n = at / \(shape.size), u = at % \(shape.size);
        const int b = first + n;
        if (n >= \(sequences) || b >= \(shape.batch)) continue;
        """)
      body(&text)
    }
  }

  private func begin(_ text: inout KernelText) {
    let states = sequences * tactic.statePitch
    let kept = shape.resetsBefore ? states : 0
    text.line(
      """
      \(real)* const state = (\(real)*)dynamic_shared;
      \(real)* const kept = state + \(kept);
      \(real)* const cells = kept + \(states);
      \(real)* const partial = cells + \(sequences * shape.size);
      const int first = blockIdx.x * \(sequences), d = blockIdx.y;
      packed += d * \(tactic.groups * shape.rows * tactic.length);
      for (int i = threadIdx.x; i < \(states + kept); i += \(tactic.threads)) state[i] = 0;
      block_barrier();
      """)
    forEachUnit(&text) { text in
      text.line(
        "state[n * \(tactic.statePitch) + u] = \(shape.initial(shape.initialHidden, "initial_hidden"));"
      )
      if shape.isLSTM {
        text.line(
          "cells[n * \(shape.size) + u] = \(shape.initial(shape.initialCell, "initial_cell"));")
      }
    }
    if tactic.keepsWeights {
      text.line(
        """
        \(vector) weights[\(tactic.groupsPerShare)] = {};
        if (threadIdx.x < \(shape.rows * tactic.shares)) {
          const int row = threadIdx.x % \(shape.rows), share = threadIdx.x / \(shape.rows);
          #pragma unroll
          for (int i = 0; i < \(tactic.groupsPerShare); i++) {
            const int group = share * \(tactic.groupsPerShare) + i;
            if (group < \(tactic.groups)) weights[i] = load_vector<\(tactic.length)>(packed + (group * \(shape.rows) + row) * \(tactic.length));
          }
        }
        """)
    }
    text.line("block_barrier();")
  }

  /// What the input adds to the thread's units, on its way while products are computed.
  private func loadInputs(_ text: inout KernelText) {
    text.line("\(real) inputs[\(tactic.unitsPerThread)][\(shape.gates)];")
    forEachUnit(&text) { text in
      text.lines(shape.time)
      text.line(
        """
        if (!is_active) continue;
        #pragma unroll
        for (int g = 0; g < \(shape.gates); g++) inputs[own][g] = projected[\(shape.projectedPlace) + g * \(shape.size) + u];
        """)
    }
  }

  /// `partial`, `[shares, sequences, rows]`: products of weights with states.
  private func products(_ text: inout KernelText, rows: Int, first: Int, of state: String) {
    let (length, shares) = (tactic.length, tactic.shares)
    text.block("for (int at = threadIdx.x; at < \(rows * shares); at += \(tactic.threads))") {
      $0.line(
        """
        const int row = at % \(rows) + \(first), share = at / \(rows);
        \(real) sums[\(sequences)] = {};
        #pragma unroll \(tactic.keepsWeights ? tactic.groupsPerShare : 8)
        for (int i = 0; i < \(tactic.groupsPerShare); i++) {
          const int group = share * \(tactic.groupsPerShare) + i;
        """)
      if tactic.groups % shares != 0 { $0.line("  if (group >= \(tactic.groups)) break;") }
      let source =
        tactic.keepsWeights
        ? "weights[i]"
        : "load_vector<\(length)>(packed + (group * \(shape.rows) + row) * \(length))"
      $0.line(
        """
          const \(vector) some = \(source);
          #pragma unroll
          for (int n = 0; n < \(sequences); n++)
            #pragma unroll
            for (int j = 0; j < \(length); j++) sums[n] += (\(real))load(some.at[j]) * \(state)[n * \(tactic.statePitch) + group * \(length) + j];
        }
        #pragma unroll
        for (int n = 0; n < \(sequences); n++) partial[(share * \(sequences) + n) * \(shape.rows) + row] = sums[n];
        """)
    }
    text.line("block_barrier();")
  }

  /// The recurrent term of a gate, from its shares.
  private func term(_ gate: String) -> String {
    (0..<tactic.shares).map {
      "partial[(\($0 * sequences) + n) * \(shape.rows) + \(gate) * \(shape.size) + u]"
    }.joined(separator: " + ")
  }

  private func reset(_ text: inout KernelText) {
    text.lines(shape.time)
    text.line(
      """
      if (!is_active) continue;
      const \(real) reset = \(shape.activate(0, "inputs[own][1] + (\(term("1")))"));
      kept[n * \(tactic.statePitch) + u] = reset * state[n * \(tactic.statePitch) + u];
      """)
  }

  private func advance(_ text: inout KernelText) {
    text.lines(shape.time)
    text.block("if (!is_active)") {
      $0.line(shape.store("all", shape.all, ["t", "d", "b", "u"], "(\(real))0"))
      $0.line("continue;")
    }
    text.line(
      """
      const \(real) (&given)[\(shape.gates)] = inputs[own];
      \(real) recurrent[\(shape.gates)];
      #pragma unroll
      for (int g = 0; g < \(shape.gates); g++) recurrent[g] = \(term("g"));
      const \(real) hidden = state[n * \(tactic.statePitch) + u];
      """)
    if shape.resetsAfter { text.line("recurrent[2] = recurrent[2]\(shape.candidateBias);") }
    if shape.isLSTM { text.line("const \(real) cell = cells[n * \(shape.size) + u];") }
    text.lines(shape.cell)
    text.line("state[n * \(tactic.statePitch) + u] = next_hidden;")
    if shape.isLSTM { text.line("cells[n * \(shape.size) + u] = next_cell;") }
    text.line(shape.store("all", shape.all, ["t", "d", "b", "u"], "next_hidden"))
  }
}
