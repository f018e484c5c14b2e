/// VGG (Simonyan, Zisserman, Very Deep Convolutional Networks, 2014), as torchvision has it, without
/// batch normalisation.
struct VGG {
  /// The channels of the convolutions between two poolings.
  let stages: [[Int]]

  static let vgg16 = VGG(
    stages: [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]])

  func build(_ graph: inout ONNXGraphBuilder) {
    var x = graph.image(224)
    var index = 0
    for stage in stages {
      for channels in stage {
        x = graph.convolution(
          x, "features.\(index)", channels: channels, Window(3, padding: 1), bias: true)
        x = graph.relu(x)
        index += 2
      }
      x = graph.maxPool(x, Window(2, stride: 2))
      index += 1
    }
    x = graph.averagePoolOfOne(x)
    x = graph.flatten(x)
    x = graph.fullyConnected(x, "classifier.0", features: 4096)
    x = graph.relu(x)
    x = graph.fullyConnected(x, "classifier.3", features: 4096)
    x = graph.relu(x)
    graph.scores(graph.fullyConnected(x, "classifier.6", features: 1000, coherence: .readout))
  }
}

extension ONNXGraphBuilder {
  /// What PyTorch's exporter makes of an adaptive pooling to the extents that the map has already.
  fileprivate mutating func averagePoolOfOne(_ x: FeatureMap) -> FeatureMap {
    let result = scope("avgpool") { graph in
      graph.node(
        "AveragePool", [x.name],
        [.integers("kernel_shape", [1, 1]), .integers("strides", [1, 1])])
    }
    return FeatureMap(
      name: result, height: x.height, width: x.width, statistics: x.statistics)
  }
}
