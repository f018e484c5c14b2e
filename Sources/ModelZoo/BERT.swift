import ONNXFormat

/// Text encoders (Devlin et al., BERT, 2018), as Hugging Face's `BertModel` is exported: attention
/// written out, batch and sequence symbolic.
struct BERT {
  let layers: Int
  let hidden: Int
  let heads: Int
  let vocabulary: Int
  let positions: Int

  static let base = BERT(
    layers: 12, hidden: 768, heads: 12, vocabulary: 30522, positions: 512)
  /// The shape of `all-MiniLM-L6-v2` (Wang et al., MiniLM, 2020).
  static let miniLM = BERT(
    layers: 6, hidden: 384, heads: 12, vocabulary: 30522, positions: 512)
  static let tiny = BERT(layers: 2, hidden: 32, heads: 4, vocabulary: 101, positions: 64)

  private static let epsilon: Float = 1e-12

  /// BERT's 0.02 at 768 features, with the same variance of sums at other widths.
  private var deviation: Float { 0.02 * (768 / Float(hidden)).squareRoot() }

  func build(_ graph: inout ONNXGraphBuilder) {
    let extents: [ONNXGraphBuilder.Extent] = ["batch", "sequence"]
    let tokens = graph.input("input_ids", extents, type: .int64)
    let mask = graph.input("attention_mask", extents, type: .int64)
    let segments = graph.input("token_type_ids", extents, type: .int64)
    let penalty = self.penalty(&graph, mask)
    var x = graph.scope("embeddings") { graph in
      embeddings(&graph, tokens: tokens, segments: segments)
    }
    for layer in 0..<layers {
      x = graph.scope("encoder.layer.\(layer)") { graph in
        encoderLayer(&graph, x, penalty: penalty)
      }
    }
    let pooled = graph.scope("pooler") { graph in
      let first = graph.firstPosition(x)
      let dense = graph.matrixLinear(
        first, "dense", from: hidden, to: hidden, standardDeviation: deviation)
      return graph.node("Tanh", [dense])
    }
    graph.output(
      "last_hidden_state", of: x, ["batch", "sequence", .fixed(hidden)])
    graph.output("pooler_output", of: pooled, ["batch", .fixed(hidden)])
  }

  /// What is added to attention scores: zero where the mask is one, else the lowest number.
  private func penalty(_ graph: inout ONNXGraphBuilder, _ mask: String) -> String {
    let rows = graph.node("Unsqueeze", [mask, graph.constant(vector: [1])])
    let heads = graph.node("Unsqueeze", [rows, graph.constant(vector: [2])])
    let number = graph.node(
      "Cast", [heads], [.integer("to", Onnx_TensorProto.DataType.float.rawValue)])
    let inverse = graph.node("Sub", [graph.constant(number: 1), number])
    let lowest = graph.constant(number: -Float.greatestFiniteMagnitude)
    return graph.node("Mul", [inverse, lowest])
  }

  private func embeddings(
    _ graph: inout ONNXGraphBuilder, tokens: String, segments: String
  ) -> String {
    let sequence = graph.extent(tokens, axis: 1)
    let end = graph.node("Unsqueeze", [sequence, graph.constant(vector: [0])])
    let numbers = graph.initializer(
      "position_ids", .int64((0..<Int64(positions)).map { $0 }, shape: [1, positions]))
    let start = graph.constant(vector: [0])
    let axis = graph.constant(vector: [1])
    let step = graph.constant(vector: [1])
    let places = graph.node("Slice", [numbers, start, end, axis, step])
    let word = embedding(&graph, tokens, "word_embeddings", count: vocabulary)
    let segment = embedding(&graph, segments, "token_type_embeddings", count: 2)
    let sum = graph.node("Add", [word, segment])
    let place = embedding(&graph, places, "position_embeddings", count: positions)
    let total = graph.node("Add", [sum, place])
    return graph.layerNormalization(
      total, "LayerNorm", features: hidden, epsilon: Self.epsilon)
  }

  private func embedding(
    _ graph: inout ONNXGraphBuilder, _ indices: String, _ name: String, count: Int
  ) -> String {
    graph.scope(name) { graph in
      let table = graph.randomWeight(
        "weight", shape: [count, hidden], standardDeviation: deviation)
      return graph.node("Gather", [table, indices])
    }
  }

  private func encoderLayer(
    _ graph: inout ONNXGraphBuilder, _ x: String, penalty: String
  ) -> String {
    let context = graph.scope("attention.self") { graph in
      attention(&graph, x, penalty: penalty)
    }
    let attended = graph.scope("attention.output") { graph in
      residual(&graph, context, from: hidden, shortcut: x)
    }
    let widened = graph.scope("intermediate") { graph in
      let dense = graph.linear(
        attended, "dense", from: hidden, to: 4 * hidden, standardDeviation: deviation)
      return graph.gelu(dense)
    }
    return graph.scope("output") { graph in
      residual(&graph, widened, from: 4 * hidden, shortcut: attended)
    }
  }

  /// A linear layer, the addition of what went around it, and layer normalisation.
  private func residual(
    _ graph: inout ONNXGraphBuilder, _ x: String, from inputs: Int, shortcut: String
  ) -> String {
    let dense = graph.linear(
      x, "dense", from: inputs, to: hidden, standardDeviation: deviation)
    let sum = graph.node("Add", [dense, shortcut])
    return graph.layerNormalization(
      sum, "LayerNorm", features: hidden, epsilon: Self.epsilon)
  }

  private func attention(
    _ graph: inout ONNXGraphBuilder, _ x: String, penalty: String
  ) -> String {
    // Wider than BERT's initial weights, so that attention is as uneven as a trained one's.
    let sharp = 2 * deviation
    let query = graph.linear(x, "query", from: hidden, to: hidden, standardDeviation: sharp)
    let key = graph.linear(x, "key", from: hidden, to: hidden, standardDeviation: sharp)
    let keys = split(&graph, key, [0, 2, 3, 1])
    let value = graph.linear(x, "value", from: hidden, to: hidden, standardDeviation: deviation)
    let values = split(&graph, value, [0, 2, 1, 3])
    let queries = split(&graph, query, [0, 2, 1, 3])
    let products = graph.node("MatMul", [queries, keys])
    let divisor = graph.constant(number: Float(hidden / heads).squareRoot())
    let scores = graph.node("Div", [products, divisor])
    let masked = graph.node("Add", [scores, penalty])
    let probabilities = graph.softmax(masked)
    let context = graph.node("MatMul", [probabilities, values])
    let ordered = graph.transpose(context, [0, 2, 1, 3])
    let batch = graph.extent(ordered, axis: 0)
    let sequence = graph.extent(ordered, axis: 1)
    return graph.reshape(ordered, [.computed(batch), .computed(sequence), .fixed(hidden)])
  }

  /// Takes [batch, sequence, features] apart into heads and orders the axes.
  private func split(
    _ graph: inout ONNXGraphBuilder, _ x: String, _ permutation: [Int]
  ) -> String {
    let batch = graph.extent(x, axis: 0)
    let sequence = graph.extent(x, axis: 1)
    let parted = graph.reshape(
      x, [.computed(batch), .computed(sequence), .fixed(heads), .fixed(hidden / heads)])
    return graph.transpose(parted, permutation)
  }
}
