import GraphModel
import ONNXFormat
import TensorModel

/// Turns the attributes of one node into ours.
struct AttributeConverter {
  let context: ModelContext
  let call: CallContext
  /// The values that graphs in the attributes may take from around the node.
  let captures: [GraphAssembler.Capture]
  let node: String
  let operatorName: String
  let domain: String

  func error(_ reason: String) -> ImportError {
    .invalidNode(node: node, operatorName: operatorName, reason: reason)
  }

  /// The value of an attribute; nil for an element type that is left undefined.
  func value(_ attribute: Onnx_AttributeProto) throws(ImportError) -> AttributeValue? {
    switch kind(of: attribute) {
    case .float: return .float(attribute.f)
    case .int: return try integer(attribute)
    case .string: return .string(String(decoding: attribute.s, as: UTF8.self))
    case .tensor:
      return .tensor(
        try context.decoder.tensor(attribute.t, fallbackName: "\(node) \(attribute.name)"))
    case .sparseTensor: return .tensor(try context.decoder.tensor(attribute.sparseTensor))
    case .graph:
      var inner = call
      inner.depth += 1
      return .graph(
        try GraphAssembler.body(attribute.g, captures: captures, context: context, call: inner))
    case .ints: return .ints(attribute.ints)
    case .floats: return .floats(attribute.floats)
    case .strings:
      return .strings(attribute.strings.map { String(decoding: $0, as: UTF8.self) })
    case .typeProto: return try elementType(attribute)
    case .undefined, .tensors, .graphs, .sparseTensors, .typeProtos:
      throw error("attribute '\(attribute.name)' is of a kind that is not supported")
    }
  }

  /// The kind that the attribute states; in files without one, that of the field it fills.
  private func kind(of attribute: Onnx_AttributeProto) -> Onnx_AttributeProto.AttributeType {
    if attribute.type != .undefined { return attribute.type }
    if attribute.hasF { return .float }
    if attribute.hasI { return .int }
    if attribute.hasS { return .string }
    if attribute.hasT { return .tensor }
    if attribute.hasG { return .graph }
    if !attribute.floats.isEmpty { return .floats }
    if !attribute.ints.isEmpty { return .ints }
    if !attribute.strings.isEmpty { return .strings }
    return .undefined
  }

  private func integer(_ attribute: Onnx_AttributeProto) throws(ImportError) -> AttributeValue? {
    let isType =
      ModelFormat.typeAttributes.contains(attribute.name)
      && (domain == ModelFormat.defaultDomain || domain.hasPrefix("ai.onnx."))
    guard isType else { return .int(attribute.i) }
    if attribute.i == 0 { return nil }
    guard let number = Int(exactly: attribute.i), let type = ModelFormat.dataType(number) else {
      throw error("attribute '\(attribute.name)' is \(attribute.i), not a known element type")
    }
    return .type(type)
  }

  private func elementType(
    _ attribute: Onnx_AttributeProto
  ) throws(ImportError) -> AttributeValue {
    guard case .tensorType(let tensor)? = attribute.tp.value,
      let type = ModelFormat.dataType(Int(tensor.elemType))
    else {
      throw error("attribute '\(attribute.name)' is a type other than that of a known tensor")
    }
    return .type(type)
  }
}
