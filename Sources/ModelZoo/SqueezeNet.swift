/// SqueezeNet 1.1 (Iandola et al., 2016), as torchvision has it: no normalisation, and a convolution
/// as classifier.
enum SqueezeNet {
  private static let pool = Window(3, stride: 2, isRoundedUp: true)

  static func build(_ graph: inout ONNXGraphBuilder) {
    var x = graph.image(224)
    x = graph.convolution(x, "features.0", channels: 64, Window(3, stride: 2), bias: true)
    x = graph.relu(x)
    x = graph.maxPool(x, pool)
    x = fire(&graph, x, index: 3, squeezed: 16, expanded: 64)
    x = fire(&graph, x, index: 4, squeezed: 16, expanded: 64)
    x = graph.maxPool(x, pool)
    x = fire(&graph, x, index: 6, squeezed: 32, expanded: 128)
    x = fire(&graph, x, index: 7, squeezed: 32, expanded: 128)
    x = graph.maxPool(x, pool)
    x = fire(&graph, x, index: 9, squeezed: 48, expanded: 192)
    x = fire(&graph, x, index: 10, squeezed: 48, expanded: 192)
    x = fire(&graph, x, index: 11, squeezed: 64, expanded: 256)
    x = fire(&graph, x, index: 12, squeezed: 64, expanded: 256)
    // Scores are means of rectified values: seldom above zero, they differ from input to input.
    graph.activationMean = -1.5
    x = graph.convolution(
      x, "classifier.1", channels: 1000, Window(1), bias: true, coherence: .readout)
    x = graph.relu(x)
    graph.scores(graph.globalAveragePool(x))
  }

  /// A 1x1 convolution that narrows, then 1x1 and 3x3 convolutions side by side.
  private static func fire(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, index: Int, squeezed: Int, expanded: Int
  ) -> FeatureMap {
    graph.scope("features.\(index)") { graph in
      var narrow = graph.convolution(x, "squeeze", channels: squeezed, Window(1), bias: true)
      narrow = graph.relu(narrow)
      var point = graph.convolution(narrow, "expand1x1", channels: expanded, Window(1), bias: true)
      point = graph.relu(point)
      var wide = graph.convolution(
        narrow, "expand3x3", channels: expanded, Window(3, padding: 1), bias: true)
      wide = graph.relu(wide)
      return graph.concatenate(point, [wide])
    }
  }
}
