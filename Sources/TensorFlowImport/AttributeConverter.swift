import GraphModel
import TensorFlowFormat
import TensorModel

/// Turns the attributes of one node into ours.
enum AttributeConverter {
  static func attributes(
    _ node: Tensorflow_NodeDef, context: ModelContext
  ) throws(TensorFlowImportError) -> [String: AttributeValue] {
    var result: [String: AttributeValue] = [:]
    for (name, attribute) in node.attr where !name.hasPrefix("_") {
      switch attribute.value {
      case .s(let text): result[name] = .string(String(decoding: text, as: UTF8.self))
      case .i(let number): result[name] = .int(number)
      case .f(let number): result[name] = .float(number)
      case .b(let flag): result[name] = .int(flag ? 1 : 0)
      case .type(let type): if let type = type.dataType { result[name] = .type(type) }
      case .tensor(let proto):
        result[name] = .tensor(
          try context.decoder.tensor(proto, named: "\(node.name) \(name)"))
      case .list(let list): result[name] = value(list)
      case .shape, .func, .placeholder, nil: break
      }
    }
    return result
  }

  private static func value(_ list: Tensorflow_AttrValue.ListValue) -> AttributeValue? {
    if !list.i.isEmpty { return .ints(list.i) }
    if !list.f.isEmpty { return .floats(list.f) }
    if !list.s.isEmpty { return .strings(list.s.map { String(decoding: $0, as: UTF8.self) }) }
    return nil
  }
}
