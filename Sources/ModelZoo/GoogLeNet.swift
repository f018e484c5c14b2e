/// GoogLeNet (Szegedy et al., Going Deeper with Convolutions, 2014), as torchvision has it: with batch
/// normalisation, 3x3 kernels in place of 5x5, and without the auxiliary classifiers.
enum GoogLeNet {
  /// The channels of the four branches; of the second and third also those they narrow to first.
  private struct Block {
    let name: String
    let point: Int
    let reduced3: Int
    let wide3: Int
    let reduced5: Int
    let wide5: Int
    let pooled: Int

    init(_ name: String, _ channels: (Int, Int, Int, Int, Int, Int)) {
      self.name = name
      (point, reduced3, wide3, reduced5, wide5, pooled) = channels
    }
  }

  private static let stages: [[Block]] = [
    [
      Block("inception3a", (64, 96, 128, 16, 32, 32)),
      Block("inception3b", (128, 128, 192, 32, 96, 64)),
    ],
    [
      Block("inception4a", (192, 96, 208, 16, 48, 64)),
      Block("inception4b", (160, 112, 224, 24, 64, 64)),
      Block("inception4c", (128, 128, 256, 24, 64, 64)),
      Block("inception4d", (112, 144, 288, 32, 64, 64)),
      Block("inception4e", (256, 160, 320, 32, 128, 128)),
    ],
    [
      Block("inception5a", (256, 160, 320, 32, 128, 128)),
      Block("inception5b", (384, 192, 384, 48, 128, 128)),
    ],
  ]

  static func build(_ graph: inout ONNXGraphBuilder) {
    let pool = Window(3, stride: 2, isRoundedUp: true)
    var x = graph.image(224)
    x = activated(&graph, x, "conv1", channels: 64, Window(7, stride: 2, padding: 3))
    x = graph.maxPool(x, pool)
    x = activated(&graph, x, "conv2", channels: 64, Window(1))
    x = activated(&graph, x, "conv3", channels: 192, Window(3, padding: 1))
    x = graph.maxPool(x, pool)
    for (index, stage) in stages.enumerated() {
      if index == 1 { x = graph.maxPool(x, pool) }
      if index == 2 { x = graph.maxPool(x, Window(2, stride: 2, isRoundedUp: true)) }
      for block in stage { x = inception(&graph, x, block) }
    }
    x = graph.globalAveragePool(x)
    graph.scores(graph.fullyConnected(x, "fc", features: 1000, coherence: .readout))
  }

  private static func inception(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, _ block: Block
  ) -> FeatureMap {
    graph.scope(block.name) { graph in
      let near = Window(3, padding: 1)
      let point = activated(&graph, x, "branch1", channels: block.point, Window(1))
      let reduced3 = activated(&graph, x, "branch2.0", channels: block.reduced3, Window(1))
      let wide3 = activated(&graph, reduced3, "branch2.1", channels: block.wide3, near)
      let reduced5 = activated(&graph, x, "branch3.0", channels: block.reduced5, Window(1))
      let wide5 = activated(&graph, reduced5, "branch3.1", channels: block.wide5, near)
      let maximum = graph.maxPool(x, Window(3, padding: 1, isRoundedUp: true))
      let pooled = activated(&graph, maximum, "branch4.1", channels: block.pooled, Window(1))
      return graph.concatenate(point, [wide3, wide5, pooled])
    }
  }

  /// Convolution, batch normalisation and ReLU.
  private static func activated(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, _ name: String, channels: Int,
    _ window: Window
  ) -> FeatureMap {
    graph.scope(name) { graph in
      var y = graph.convolution(x, "conv", channels: channels, window)
      y = graph.batchNormalization(y, "bn", epsilon: 0.001)
      return graph.relu(y)
    }
  }
}
