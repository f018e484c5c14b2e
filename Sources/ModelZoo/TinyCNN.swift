/// A network of a few thousand weights with the patterns of the large ones: residual, inverted
/// residual and parallel blocks, biased and normalised convolutions, both poolings.
enum TinyCNN {
  static func build(_ graph: inout ONNXGraphBuilder) {
    graph.activationMean = 0  // It is not deep.
    var x = graph.image(32)
    x = activated(&graph, x, "stem", channels: 16, Window(3, stride: 2, padding: 1))
    x = graph.maxPool(x, Window(3, stride: 2, padding: 1))
    x = residual(&graph, x)
    x = graph.scope("inverted") { graph in
      MobileNetV2.invertedResidual(&graph, x, expansion: 3, channels: x.channels, stride: 1)
    }
    x = parallel(&graph, x)
    x = graph.globalAveragePool(x)
    graph.scores(graph.fullyConnected(x, "fc", features: 10, coherence: .none))
  }

  private static func residual(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap
  ) -> FeatureMap {
    graph.scope("residual") { graph in
      var y = activated(&graph, x, "first", channels: 24, Window(3, padding: 1))
      y = graph.convolution(y, "second", channels: 24, Window(3, padding: 1))
      y = graph.batchNormalization(y, "second_bn", gain: 0.3, isActivated: false)
      var shortcut = graph.convolution(x, "shortcut", channels: 24, Window(1))
      shortcut = graph.batchNormalization(shortcut, "shortcut_bn", isActivated: false)
      return graph.addAndRectify(y, shortcut: shortcut)
    }
  }

  private static func parallel(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap
  ) -> FeatureMap {
    graph.scope("parallel") { graph in
      var point = graph.convolution(x, "point", channels: 8, Window(1), bias: true)
      point = graph.relu(point)
      var wide = graph.convolution(x, "wide", channels: 12, Window(3, padding: 1), bias: true)
      wide = graph.relu(wide)
      let maximum = graph.maxPool(x, Window(3, padding: 1))
      let pooled = activated(&graph, maximum, "pooled", channels: 5, Window(1))
      return graph.concatenate(point, [wide, pooled])
    }
  }

  private static func activated(
    _ graph: inout ONNXGraphBuilder, _ x: FeatureMap, _ name: String, channels: Int,
    _ window: Window
  ) -> FeatureMap {
    graph.scope(name) { graph in
      var y = graph.convolution(x, "conv", channels: channels, window)
      y = graph.batchNormalization(y, "bn")
      return graph.relu(y)
    }
  }
}
