import ONNXFormat
package import ONNXImport
import SwiftProtobuf
import TensorModel

#if canImport(FoundationEssentials)
  package import FoundationEssentials
#else
  package import Foundation
#endif

/// Writes an ONNX model again with its convolutions and matrix products on 8-bit integers, in the form of
/// `QuantizeLinear` and `DequantizeLinear` around what they read.
///
/// Activations are `uint8` with one scale and zero point, weights `int8` with a scale for each output
/// channel, biases `int32`. Everything else of the model stays as it is.
package struct QuantizedModelWriter {
  /// What an activation's integers mean.
  package struct Activation: Sendable, Hashable {
    package var scale: Float
    package var zeroPoint: UInt8

    package init(scale: Float, zeroPoint: UInt8) {
      self.scale = scale
      self.zeroPoint = zeroPoint
    }
  }

  /// A node that stays as it is, and why.
  package struct Skipped: Sendable, Hashable {
    package var node: String
    package var reason: String
  }

  package struct Outcome: Sendable {
    package var bytes: Data
    package var quantized: Int
    package var skipped: [Skipped]
    /// Whether the model's operator set is too old for scales of channels, so that ONNX Runtime's own
    /// operators are used.
    package var usesRuntimeOperators: Bool
  }

  /// - Parameters:
  ///   - model: the file's bytes; elements in other files are read from `directory` and put into the result.
  ///   - activations: by the names of tensors.
  package static func quantize(
    _ model: Data, directory: String?, activations: [String: Activation]
  ) throws(ImportError) -> Outcome {
    let proto: Onnx_ModelProto
    do { proto = try Onnx_ModelProto(serializedBytes: model) } catch {
      throw .notAModel(path: directory ?? "model", reason: "it is no protocol buffer")
    }
    var writer = try QuantizedModelWriter(proto, directory, activations)
    try writer.run()
    return try writer.finish()
  }

  /// The first operator set whose `DequantizeLinear` takes a scale for each channel.
  private static let channelScaleVersion: Int64 = 13
  /// The first that has convolutions of integers.
  private static let oldestVersion: Int64 = 10
  private static let runtimeDomain = "com.microsoft"

  private var model: Onnx_ModelProto
  private let activations: [String: Activation]
  private let domain: String
  var constants: InitializerTable
  private var producers: [String: Onnx_NodeProto] = [:]
  private var names: Set<String> = []
  private var nodes: [Onnx_NodeProto] = []
  private var added: [Onnx_TensorProto] = []
  /// The names under which quantised tensors are read, by what they stand for.
  private var quantized: [String: String] = [:]
  private var skipped: [Skipped] = []
  private var count = 0

  private init(
    _ model: Onnx_ModelProto, _ directory: String?, _ activations: [String: Activation]
  ) throws(ImportError) {
    self.model = model
    self.activations = activations
    let version = model.opsetImport.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }?.version
    guard let version, version >= Self.oldestVersion else {
      throw .olderOperatorSet(version: version ?? 1, oldest: Self.oldestVersion)
    }
    domain = version < Self.channelScaleVersion ? Self.runtimeDomain : ""
    constants = try InitializerTable(model.graph, directory: directory)
    for node in model.graph.node {
      for output in node.output { producers[output] = node }
      names.formUnion(node.input + node.output + [node.name])
    }
    names.formUnion(model.graph.initializer.map(\.name) + model.graph.input.map(\.name))
  }

  private mutating func run() throws(ImportError) {
    for var node in model.graph.node {
      if let layer = Layer(node) {
        do {
          try quantize(&node, layer)
          count += 1
        } catch {
          switch error {
          case .skip(let reason):
            skipped.append(
              Skipped(node: node.name.isEmpty ? node.output[0] : node.name, reason: reason))
          case .failed(let error): throw error
          }
        }
      }
      nodes.append(node)
    }
  }

  private func finish() throws(ImportError) -> Outcome {
    var result = model
    result.graph.node = nodes
    if domain == Self.runtimeDomain, !result.opsetImport.contains(where: { $0.domain == domain }) {
      var set = Onnx_OperatorSetIdProto()
      set.domain = domain
      set.version = 1
      result.opsetImport.append(set)
    }
    let unused = constants.unused(by: nodes, result.graph)
    result.graph.initializer = try constants.embedded(except: unused) + added
    result.graph.input.removeAll { unused.contains($0.name) }
    do {
      let bytes: Data = try result.serializedBytes()
      return Outcome(
        bytes: bytes, quantized: count, skipped: skipped,
        usesRuntimeOperators: domain == Self.runtimeDomain)
    } catch {
      throw .exceedsLimit(
        what: "bytes of an ONNX file", found: Int(Int32.max), limit: Int(Int32.max))
    }
  }
}

// MARK: - Layers

/// A node with weights.
private struct Layer {
  /// The axis of its weights that counts output channels.
  let channelAxis: Int
  let hasBias: Bool

  init?(_ node: Onnx_NodeProto) {
    guard node.domain.isEmpty || node.domain == "ai.onnx", node.input.count >= 2 else { return nil }
    func attribute(_ name: String) -> Onnx_AttributeProto? {
      node.attribute.first { $0.name == name }
    }
    switch node.opType {
    case "Conv": (channelAxis, hasBias) = (0, node.input.count > 2 && !node.input[2].isEmpty)
    case "MatMul": (channelAxis, hasBias) = (1, false)
    case "Gemm":
      channelAxis = attribute("transB")?.i == 1 ? 0 : 1
      // Factors would have to go into the scale of the bias.
      let isPlain = (attribute("alpha")?.f ?? 1) == 1 && (attribute("beta")?.f ?? 1) == 1
      hasBias = isPlain && node.input.count > 2 && !node.input[2].isEmpty
    default: return nil
    }
  }
}

private enum Refusal: Error {
  case skip(String)
  case failed(ImportError)
}

extension QuantizedModelWriter {
  private mutating func quantize(_ node: inout Onnx_NodeProto, _ layer: Layer) throws(Refusal) {
    guard let weights = try tensor(node.input[1]) else {
      throw .skip("its second operand is computed, not constant")
    }
    guard weights.dataType == .float32, weights.shape.count >= 2, weights.elementCount > 0,
      node.opType == "Conv" || weights.shape.count == 2, let numbers = weights.numbers(),
      numbers.allSatisfy(\.isFinite)
    else {
      throw .skip("its weights are \(weights.type), expected finite float32 of two axes or more")
    }
    guard let x = activation(node.input[0]) else {
      throw .skip("the table has no range for its input '\(node.input[0])'")
    }
    let channels = QuantizedChannels(numbers, shape: weights.shape, axis: layer.channelAxis)
    let names = (x: node.input[0], weights: node.input[1])
    node.input[0] = dequantizedActivation(names.x, x)
    node.input[1] = dequantizedWeights(names.weights, channels, layer)
    if layer.hasBias, let bias = try tensor(node.input[2]),
      let integers = channels.bias(bias, activationScale: x.scale)
    {
      node.input[2] = dequantizedBias(
        node.input[2], key: names.x + "\u{0}" + names.weights, integers, channels.scales, x.scale)
    }
  }

  private func tensor(_ name: String) throws(Refusal) -> Tensor? {
    do { return try constants.tensor(name) } catch { throw .failed(error) }
  }

  /// What is known of a tensor, or of the one that it is a rearrangement of.
  private func activation(_ name: String) -> Activation? {
    var name = name
    for _ in 0..<8 {
      if let found = activations[name] { return found }
      guard let node = producers[name], Self.rearranging.contains(node.opType),
        node.domain.isEmpty, let source = node.input.first
      else { return nil }
      name = source
    }
    return nil
  }

  private static let rearranging: Set<String> = [
    "Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Dropout",
    "Slice", "Split", "Gather",
  ]

  // MARK: Nodes

  private mutating func dequantizedActivation(_ name: String, _ x: Activation) -> String {
    let key = "activation \(name)"
    if let known = quantized[key] { return known }
    let scale = constant("\(name)_scale", ONNXTensor.floats([x.scale], shape: []))
    let zero = constant("\(name)_zero_point", ONNXTensor.bytes([x.zeroPoint]))
    let integers = unique("\(name)_quantized")
    add("QuantizeLinear", [name, scale, zero], integers)
    let result = unique("\(name)_dequantized")
    add("DequantizeLinear", [integers, scale, zero], result)
    quantized[key] = result
    return result
  }

  private mutating func dequantizedWeights(
    _ name: String, _ channels: QuantizedChannels, _ layer: Layer
  ) -> String {
    let key = "weights \(layer.channelAxis) \(name)"
    if let known = quantized[key] { return known }
    let integers = constant(
      "\(name)_quantized", ONNXTensor.signedBytes(channels.integers, shape: channels.shape))
    let count = channels.scales.count
    let scale = constant("\(name)_scale", ONNXTensor.floats(channels.scales, shape: [count]))
    let zero = constant(
      "\(name)_zero_point",
      ONNXTensor.signedBytes([Int8](repeating: 0, count: count), shape: [count]))
    let result = unique("\(name)_dequantized")
    add("DequantizeLinear", [integers, scale, zero], result, axis: layer.channelAxis)
    quantized[key] = result
    return result
  }

  private mutating func dequantizedBias(
    _ name: String, key: String, _ integers: [Int32], _ scales: [Float], _ scale: Float
  ) -> String {
    let key = "bias \(key)\u{0}\(name)"
    if let known = quantized[key] { return known }
    let count = integers.count
    let values = constant("\(name)_quantized", ONNXTensor.integers(integers))
    let steps = constant(
      "\(name)_scale", ONNXTensor.floats(scales.map { $0 * scale }, shape: [count]))
    let zero = constant(
      "\(name)_zero_point", ONNXTensor.integers([Int32](repeating: 0, count: count)))
    let result = unique("\(name)_dequantized")
    add("DequantizeLinear", [values, steps, zero], result, axis: 0)
    quantized[key] = result
    return result
  }

  private mutating func add(
    _ type: String, _ inputs: [String], _ output: String, axis: Int? = nil
  ) {
    var node = Onnx_NodeProto()
    node.name = unique("\(output)_\(type)")
    node.opType = type
    node.domain = domain
    node.input = inputs
    node.output = [output]
    if let axis {
      var attribute = Onnx_AttributeProto()
      attribute.name = "axis"
      attribute.type = .int
      attribute.i = Int64(axis)
      node.attribute = [attribute]
    }
    nodes.append(node)
  }

  private mutating func constant(_ name: String, _ tensor: Onnx_TensorProto) -> String {
    var tensor = tensor
    tensor.name = unique(name)
    added.append(tensor)
    return tensor.name
  }

  private mutating func unique(_ name: String) -> String {
    var candidate = name
    var number = 1
    while !names.insert(candidate).inserted {
      number += 1
      candidate = "\(name)_\(number)"
    }
    return candidate
  }
}
