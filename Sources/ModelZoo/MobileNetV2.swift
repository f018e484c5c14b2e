/// MobileNetV2 (Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018), as torchvision has it.
enum MobileNetV2 {
  private struct Stage {
    let expansion: Int
    let channels: Int
    let count: Int
    let stride: Int
  }

  private static let stages = [
    Stage(expansion: 1, channels: 16, count: 1, stride: 1),
    Stage(expansion: 6, channels: 24, count: 2, stride: 2),
    Stage(expansion: 6, channels: 32, count: 3, stride: 2),
    Stage(expansion: 6, channels: 64, count: 4, stride: 2),
    Stage(expansion: 6, channels: 96, count: 3, stride: 1),
    Stage(expansion: 6, channels: 160, count: 3, stride: 2),
    Stage(expansion: 6, channels: 320, count: 1, stride: 1),
  ]

  static func build(_ graph: inout ONNXGraphBuilder) {
    var x = graph.image(224)
    x = graph.scope("features.0") { graph in
      activated(&graph, x, channels: 32, Window(3, stride: 2, padding: 1))
    }
    var index = 1
    for stage in stages {
      for block in 0..<stage.count {
        x = graph.scope("features.\(index).conv") { graph in
          invertedResidual(
            &graph, x, expansion: stage.expansion, channels: stage.channels,
            stride: block == 0 ? stage.stride : 1)
        }
        index += 1
      }
    }
    x = graph.scope("features.\(index)") { graph in
      activated(&graph, x, channels: 1280, Window(1))
    }
    x = graph.globalAveragePool(x)
    graph.scores(graph.fullyConnected(x, "classifier.1", features: 1000, coherence: .readout))
  }

  /// Expansion, depthwise convolution and linear projection, added to the input where shapes allow.
  static func invertedResidual(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, expansion: Int, channels: Int, stride: Int
  ) -> FeatureMap {
    let isResidual = stride == 1 && x.channels == channels
    var y = x
    var index = 0
    if expansion > 1 {
      y = graph.scope("0") { graph in
        activated(&graph, y, channels: x.channels * expansion, Window(1))
      }
      index += 1
    }
    y = graph.scope("\(index)") { graph in
      activated(
        &graph, y, channels: y.channels, Window(3, stride: stride, padding: 1),
        groups: y.channels)
    }
    y = graph.convolution(y, "\(index + 1)", channels: channels, Window(1))
    y = graph.batchNormalization(y, "\(index + 2)", gain: isResidual ? 0.5 : 1, isActivated: false)
    return isResidual ? graph.add(x, y) : y
  }

  /// Convolution, batch normalisation and ReLU6.
  private static func activated(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, channels: Int, _ window: Window,
    groups: Int = 1
  ) -> FeatureMap {
    var y = graph.convolution(x, "0", channels: channels, window, groups: groups)
    y = graph.batchNormalization(y, "1")
    return graph.scope("2") { $0.relu6(y) }
  }
}
