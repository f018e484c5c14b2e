package import KernelModel
import TensorModel

extension Graph: CustomStringConvertible {
  /// One line per input, node and output, as `--dump` writes it.
  package var description: String {
    var lines = ["graph \(name)"]
    for id in inputs { lines.append("  input \(label(id))") }
    for (_, node) in liveNodes {
      let results = node.outputs.map(label).joined(separator: ", ")
      let operands = node.inputs.map { $0.map(reference) ?? "-" }.joined(separator: ", ")
      let arithmetic = node.arithmetic == .exact ? "" : " in \(node.arithmetic.rawValue)"
      lines.append("  \(results) = \(node.operation.summary)(\(operands))\(arithmetic)")
      if node.origins.count > 1 {
        lines.append("      from \(node.origins.joined(separator: ", "))")
      }
      if case .control(let control) = node.operation {
        for body in control.bodies {
          lines += body.description.split(separator: "\n").map { "      " + $0 }
        }
      }
    }
    for (name, value) in outputs { lines.append("  output \(name) = \(reference(value))") }
    return lines.joined(separator: "\n") + "\n"
  }

  private func reference(_ id: ValueID) -> String {
    let value = self[id]
    if let tensor = value.constant {
      if tensor.elementCount == 1, let number = tensor.numbers()?.first { return "\(number)" }
      return "const %\(id.index) \(tensor.type)"
    }
    return "%\(id.index)"
  }

  private func label(_ id: ValueID) -> String {
    "%\(id.index) '\(self[id].name)' \(self[id].type?.description ?? "unknown")"
  }
}

extension Operation {
  /// What the node does, in a few words.
  package var summary: String {
    switch self {
    case .kernel(let problem): problem.summary
    case .pending(let record): "pending \(record.name)"
    case .host(let record): "host \(record.name)"
    case .control(.branch): "branch"
    case .control(.loop): "loop"
    case .control(.scan): "scan"
    }
  }
}

extension KernelProblem {
  /// The family and the parameters that matter to a reader.
  package var summary: String {
    let base: String
    switch self {
    case .pointwise(let p): return "pointwise \(p.expression)"
    case .reduction(let p): base = "reduction \(p.function.rawValue) over \(p.axes)"
    case .convolution(let p):
      let kind = p.isTransposed ? "transposed convolution" : "convolution"
      let value = p.padValue == 0 ? "" : " of \(p.padValue)"
      base =
        "\(kind) strides \(p.strides) pads \(p.padsBefore)\(p.padsAfter)\(value) groups \(p.groups)"
    case .matmul(let p):
      base = "matmul\(p.transposesA ? " a^T" : "")\(p.transposesB ? " b^T" : "")"
    case .window(let p): base = "window \(p.function) \(p.kernel) strides \(p.strides)"
    case .normalization(let p): base = "normalization \(p.kind)"
    case .attention(let p): base = "attention scale \(p.scale)\(p.isCausal ? " causal" : "")"
    case .recurrence(let p): base = "\(p.cell.rawValue) \(p.direction.rawValue) \(p.hiddenSize)"
    case .gather(let p): base = "gather \(p)"
    case .scatter(let p): base = "scatter \(p.kind) \(p.combination.rawValue)"
    case .copy(let p): base = "copy \(p)"
    case .resample(let p): base = "resample \(p.interpolation) to \(p.shape)"
    case .sort(let p): base = "sort axis \(p.axis) first \(p.count)"
    case .scan(let p): base = "scan \(p.function.rawValue) axis \(p.axis)"
    }
    guard let epilogue, epilogue != .operand(0) else { return base }
    return "\(base) -> \(epilogue)"
  }
}
