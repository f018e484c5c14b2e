/// Residual networks (He et al., Deep Residual Learning for Image Recognition, 2015), as torchvision
/// has them: the bottleneck's stride is in its 3x3 convolution.
struct ResNet {
  let blockCounts: [Int]
  let isBottleneck: Bool

  static let resnet18 = ResNet(blockCounts: [2, 2, 2, 2], isBottleneck: false)
  static let resnet50 = ResNet(blockCounts: [3, 4, 6, 3], isBottleneck: true)

  /// The scale of the last normalisation of a block, small so that sums do not grow with depth.
  private static let residualGain: Float = 0.3

  func build(_ graph: inout ONNXGraphBuilder) {
    var x = graph.image(224)
    x = graph.convolution(x, "conv1", channels: 64, Window(7, stride: 2, padding: 3))
    x = graph.batchNormalization(x, "bn1")
    x = graph.relu(x)
    x = graph.maxPool(x, Window(3, stride: 2, padding: 1))
    for (stage, count) in blockCounts.enumerated() {
      for block in 0..<count {
        let stride = stage > 0 && block == 0 ? 2 : 1
        x = graph.scope("layer\(stage + 1).\(block)") { graph in
          self.block(&graph, x, width: 64 << stage, stride: stride)
        }
      }
    }
    x = graph.globalAveragePool(x)
    graph.scores(graph.fullyConnected(x, "fc", features: 1000, coherence: .readout))
  }

  private func block(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, width: Int, stride: Int
  ) -> FeatureMap {
    let channels = isBottleneck ? 4 * width : width
    let branch =
      isBottleneck
      ? bottleneck(&graph, x, width: width, stride: stride)
      : basic(&graph, x, width: width, stride: stride)
    var shortcut = x
    if stride > 1 || x.channels != channels {
      shortcut = graph.convolution(
        x, "downsample.0", channels: channels, Window(1, stride: stride))
      shortcut = graph.batchNormalization(shortcut, "downsample.1", isActivated: false)
    }
    return graph.addAndRectify(branch, shortcut: shortcut)
  }

  private func basic(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, width: Int, stride: Int
  ) -> FeatureMap {
    var y = graph.convolution(x, "conv1", channels: width, Window(3, stride: stride, padding: 1))
    y = graph.batchNormalization(y, "bn1")
    y = graph.relu(y)
    y = graph.convolution(y, "conv2", channels: width, Window(3, padding: 1))
    return graph.batchNormalization(y, "bn2", gain: Self.residualGain, isActivated: false)
  }

  private func bottleneck(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, width: Int, stride: Int
  ) -> FeatureMap {
    var y = graph.convolution(x, "conv1", channels: width, Window(1))
    y = graph.batchNormalization(y, "bn1")
    y = graph.relu(y)
    y = graph.convolution(y, "conv2", channels: width, Window(3, stride: stride, padding: 1))
    y = graph.batchNormalization(y, "bn2")
    y = graph.relu(y)
    y = graph.convolution(y, "conv3", channels: 4 * width, Window(1))
    return graph.batchNormalization(y, "bn3", gain: Self.residualGain, isActivated: false)
  }
}
