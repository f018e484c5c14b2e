import ONNXFormat

/// Vision transformers (Dosovitskiy et al., An Image is Worth 16x16 Words, 2020), as torchvision's
/// `vit_b_16` is exported: one projection for query, key and value, sequence first within attention,
/// and both operands of the scores scaled by the root of the scale.
struct VisionTransformer {
  let imageSize: Int
  let patchSize: Int
  let layers: Int
  let hidden: Int
  let heads: Int
  let classes: Int

  static let base16 = VisionTransformer(
    imageSize: 224, patchSize: 16, layers: 12, hidden: 768, heads: 12, classes: 1000)
  static let tiny = VisionTransformer(
    imageSize: 32, patchSize: 8, layers: 2, hidden: 32, heads: 4, classes: 10)

  private static let epsilon: Float = 1e-6

  private var patches: Int { (imageSize / patchSize) * (imageSize / patchSize) }

  /// 0.02 at 768 features, with the same variance of sums at other widths.
  private var deviation: Float { 0.02 * (768 / Float(hidden)).squareRoot() }

  func build(_ graph: inout ONNXGraphBuilder) {
    let image = graph.image(imageSize)
    let patches = graph.convolution(
      image, "conv_proj", channels: hidden, Window(patchSize, stride: patchSize), bias: true,
      coherence: .none)
    let batch = graph.extent(image.name, axis: 0)
    let rows = graph.reshape(
      patches.name, [.computed(batch), .fixed(hidden), .fixed(self.patches)])
    let tokens = graph.transpose(rows, [0, 2, 1])
    let classToken = expandedClassToken(&graph, batch: batch)
    var x = graph.node("Concat", [classToken, tokens], [.integer("axis", 1)])
    x = graph.scope("encoder") { graph in
      let positions = graph.randomWeight(
        "pos_embedding", shape: [1, self.patches + 1, hidden], standardDeviation: deviation)
      var x = graph.node("Add", [x, positions])
      for layer in 0..<layers {
        x = graph.scope("layers.encoder_layer_\(layer)") { encoderLayer(&$0, x) }
      }
      return graph.layerNormalization(x, "ln", features: hidden, epsilon: Self.epsilon)
    }
    let first = graph.firstPosition(x)
    let scores = graph.matrixLinear(
      first, "heads.head", from: hidden, to: classes, standardDeviation: deviation)
    graph.output("output", of: scores, ["batch", .fixed(classes)])
  }

  /// The class token once per image, with the arithmetic that PyTorch exports for `expand(n, -1, -1)`.
  private func expandedClassToken(_ graph: inout ONNXGraphBuilder, batch: String) -> String {
    let token = graph.randomWeight(
      "class_token", shape: [1, 1, hidden], standardDeviation: deviation)
    let wanted = graph.shape([.computed(batch), .fixed(-1), .fixed(-1)])
    let count = graph.constant(vector: [3])
    let ones = graph.node(
      "ConstantOfShape", [count], [.tensor("value", .int64([1], shape: [1]))])
    let negative = graph.node("Mul", [ones, graph.constant(integer: -1)])
    let isKept = graph.node("Equal", [wanted, negative])
    let target = graph.node("Where", [isKept, ones, wanted])
    return graph.node("Expand", [token, target])
  }

  private func encoderLayer(_ graph: inout ONNXGraphBuilder, _ x: String) -> String {
    let normalised = graph.layerNormalization(
      x, "ln_1", features: hidden, epsilon: Self.epsilon)
    let attended = graph.scope("self_attention") { attention(&$0, normalised) }
    let sum = graph.node("Add", [attended, x])
    let input = graph.layerNormalization(sum, "ln_2", features: hidden, epsilon: Self.epsilon)
    let output = graph.scope("mlp") { graph in
      let wide = graph.linear(
        input, "0", from: hidden, to: 4 * hidden, standardDeviation: deviation)
      let active = graph.gelu(wide)
      return graph.linear(
        active, "3", from: 4 * hidden, to: hidden, standardDeviation: deviation)
    }
    return graph.node("Add", [sum, output])
  }

  private func attention(_ graph: inout ONNXGraphBuilder, _ x: String) -> String {
    let sequenceFirst = graph.transpose(x, [1, 0, 2])
    let sequence = graph.extent(sequenceFirst, axis: 0)
    let batch = graph.extent(sequenceFirst, axis: 1)
    let projected = projection(&graph, sequenceFirst, sequence: sequence, batch: batch)
    let parts = (0..<3).map { index in
      let part = graph.node(
        "Gather", [projected, graph.constant(integer: index)], [.integer("axis", 0)])
      return split(&graph, part, sequence: sequence, batch: batch)
    }
    let root = scaleRoot(&graph, parts[0])
    let queries = graph.node("Mul", [parts[0], root])
    let keys = graph.node("Mul", [graph.transpose(parts[1], [0, 1, 3, 2]), root])
    let scores = graph.node("MatMul", [queries, keys])
    let probabilities = graph.softmax(scores)
    let context = graph.node("MatMul", [probabilities, parts[2]])
    let ordered = graph.transpose(context, [2, 0, 1, 3])
    let rows = graph.node("Mul", [batch, sequence])
    let matrix = graph.reshape(ordered, [.computed(rows), .fixed(hidden)])
    let output = graph.matrixLinear(
      matrix, "out_proj", from: hidden, to: hidden, standardDeviation: deviation)
    let unfolded = graph.reshape(
      output, [.computed(sequence), .computed(batch), .fixed(hidden)])
    return graph.transpose(unfolded, [1, 0, 2])
  }

  /// Query, key and value from one matrix product, as [3, sequence, batch, features].
  private func projection(
    _ graph: inout ONNXGraphBuilder, _ x: String, sequence: String, batch: String
  ) -> String {
    let joined = graph.node(
      "Add",
      [
        graph.randomWeight("in_proj_bias", shape: [3 * hidden], standardDeviation: 0.02),
        graph.node("MatMul", [x, projectionWeight(&graph)]),
      ])
    let parted = graph.reshape(
      joined, [.computed(sequence), .computed(batch), .fixed(3), .fixed(hidden)])
    let stacked = graph.node("Unsqueeze", [parted, graph.constant(vector: [0])])
    let ordered = graph.transpose(stacked, [3, 1, 2, 0, 4])
    return graph.node("Squeeze", [ordered, graph.constant(vector: [-2])])
  }

  /// The columns of queries and keys are wider, so that attention is as uneven as a trained one's.
  private func projectionWeight(_ graph: inout ONNXGraphBuilder) -> String {
    var weights = graph.random(
      "in_proj_weight", count: 3 * hidden * hidden, standardDeviation: deviation)
    weights.withUnsafeMutableBufferPointer { weights in
      for row in 0..<hidden {
        for column in 3 * hidden * row..<3 * hidden * row + 2 * hidden {
          weights[column] *= 2.5
        }
      }
    }
    return graph.weight("in_proj_weight", weights, shape: [hidden, 3 * hidden])
  }

  /// [sequence, batch, features] as [batch, heads, sequence, features of a head].
  private func split(
    _ graph: inout ONNXGraphBuilder, _ x: String, sequence: String, batch: String
  ) -> String {
    let rows = graph.node("Mul", [batch, graph.constant(integer: heads)])
    let parted = graph.reshape(
      x, [.computed(sequence), .computed(rows), .fixed(hidden / heads)])
    let headFirst = graph.transpose(parted, [1, 0, 2])
    return graph.reshape(
      headFirst,
      [.computed(batch), .fixed(heads), .computed(sequence), .fixed(hidden / heads)])
  }

  /// The square root of one over the square root of a head's features, computed from its extent.
  private func scaleRoot(_ graph: inout ONNXGraphBuilder, _ queries: String) -> String {
    let extents = graph.node("Shape", [queries])
    let start = graph.constant(vector: [-1])
    let end = graph.constant(integers: [.max], shape: [1])
    let features = graph.node("Slice", [extents, start, end])
    let number = graph.node(
      "Cast", [features], [.integer("to", Onnx_TensorProto.DataType.float.rawValue)])
    let root = graph.node("Sqrt", [number])
    let scale = graph.node("Div", [graph.constant(number: 1), root])
    return graph.node("Sqrt", [scale])
  }
}
