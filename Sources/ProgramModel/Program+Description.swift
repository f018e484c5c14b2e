import KernelModel
import TensorModel

extension Program: CustomStringConvertible {
  /// One line per buffer and step, as `--dump` writes it.
  package var description: String {
    var lines = ["program \(name)"]
    for (index, buffer) in buffers.enumerated() {
      let role: String
      switch buffer.role {
      case .activation: role = "activation"
      case .constant(let tensor): role = "constant \(tensor.type)"
      case .input(let i): role = "input \(i)"
      case .output(let i): role = "output \(i)"
      }
      lines.append("  b\(index): \(role), \(buffer.byteCount) bytes")
    }
    for (index, step) in steps.enumerated() {
      let results = step.outputs.map(\.description).joined(separator: ", ")
      let operands = step.inputs.map { $0?.description ?? "-" }.joined(separator: ", ")
      let arithmetic = step.arithmetic == .exact ? "" : " in \(step.arithmetic.rawValue)"
      lines.append(
        "  \(index) '\(step.name)': \(results) = \(step.problem.family)(\(operands))\(arithmetic)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension View: CustomStringConvertible {
  package var description: String {
    let base = "b\(buffer.index)[\(shape.map(String.init).joined(separator: "x"))]"
    let place = offset == 0 ? "" : "+\(offset)"
    return isRowMajor
      ? base + place : base + place + "/\(strides.map(String.init).joined(separator: ","))"
  }
}
