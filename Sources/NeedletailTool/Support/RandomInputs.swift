import EngineFormat
import GraphModel
import Needletail
import TensorModel

/// Seeded tensors for networks that are run without data.
enum RandomInputs {
  /// Floating point: uniform in -1...1. Integers: 0 or 1, which every vocabulary and mask takes.
  static func tensors(
    for engine: Engine, shapes: [String: [Int]], seed: UInt64
  ) throws(NeedletailError) -> [String: Tensor] {
    try tensors(for: engine.contents.graph, shapes: shapes, seed: seed)
  }

  static func tensors(
    for graph: Graph, shapes: [String: [Int]], seed: UInt64
  ) throws(NeedletailError) -> [String: Tensor] {
    let fixed = try graph.fixingInputs(shapes)
    let types = try fixed.representativeTypes()
    var generator = SplitMix(state: seed)
    var result: [String: Tensor] = [:]
    for (id, type) in zip(fixed.inputs, types) {
      result[fixed[id].name] = try tensor(type, &generator)
    }
    return result
  }

  private static func tensor(
    _ type: TensorType, _ generator: inout SplitMix
  ) throws(NeedletailError) -> Tensor {
    let shape = type.shape.constants ?? []
    let count = ShapeMath.elementCount(shape) ?? 0
    do {
      if type.dataType.isFloatingPoint {
        let numbers = (0..<count).map { _ in Double(generator.unit()) * 2 - 1 }
        return try Tensor(numbers: numbers, dataType: type.dataType, shape: shape)
      }
      let numbers = (0..<count).map { _ in Int64(generator.next() >> 63) }
      return try Tensor(integers: numbers, dataType: type.dataType, shape: shape)
    } catch { throw NeedletailError(.input, "\(error)") }
  }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<1.
  mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }
}
