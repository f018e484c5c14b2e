import TensorFlowImport

/// Prints what a TensorFlow model holds: signatures, variables, operators.
struct SavedModelReport {
  var description: SavedModelDescription

  func show() {
    let written = description.version.isEmpty ? "" : " \(description.version)"
    Output.line(
      "TensorFlow\(written) model: \(description.variableCount) variables, "
        + Output.bytes(description.variableBytes))
    for signature in description.signatures {
      Output.line("signature \(signature.name)")
      for port in signature.inputs { Output.line("  input  \(Self.text(port))") }
      for port in signature.outputs { Output.line("  output \(Self.text(port))") }
      let operators = signature.operators.sorted { $0.key < $1.key }
        .map { $0.value == 1 ? $0.key : "\($0.key) x \($0.value)" }
      Output.line("  operators: \(operators.joined(separator: ", "))")
      for node in signature.unsupported { Output.line("  not supported: \(node.text)") }
    }
    Output.line()
  }

  private static func text(_ port: SavedModelDescription.Port) -> String {
    let shape = port.shape.map { $0.isEmpty ? "scalar" : $0.joined(separator: "x") }
    return "\(port.name): \(port.dataType) \(shape ?? "of unknown rank")"
  }
}
