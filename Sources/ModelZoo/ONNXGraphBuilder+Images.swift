import ONNXFormat

/// A value of extents [batch, channels, height, width] (or, with one position, [batch, channels]).
struct FeatureMap {
  let name: String
  let height: Int
  let width: Int
  let statistics: ChannelStatistics

  var channels: Int { statistics.count }
}

/// The window of a convolution or a pooling, square in both axes.
struct Window {
  let size: Int
  let stride: Int
  let padding: Int
  /// Whether a last window that reaches beyond the padding counts.
  let isRoundedUp: Bool

  init(_ size: Int, stride: Int = 1, padding: Int = 0, isRoundedUp: Bool = false) {
    self.size = size
    self.stride = stride
    self.padding = padding
    self.isRoundedUp = isRoundedUp
  }

  /// How many windows fit into an extent.
  func outputExtent(_ extent: Int) -> Int {
    let room = extent + 2 * padding - size
    return (isRoundedUp ? (room + stride - 1) / stride : room / stride) + 1
  }

  var attributes: [Onnx_AttributeProto] {
    [
      .integers("kernel_shape", [size, size]),
      .integers("pads", [padding, padding, padding, padding]),
      .integers("strides", [stride, stride]),
    ]
  }
}

extension ONNXGraphBuilder {
  /// The input of an image classifier.
  mutating func image(_ size: Int) -> FeatureMap {
    let name = input("input", ["batch", 3, .fixed(size), .fixed(size)])
    return FeatureMap(name: name, height: size, width: size, statistics: .standard(3))
  }

  /// Declares the classes' scores as the output.
  mutating func scores(_ value: FeatureMap) {
    output("output", of: value.name, ["batch", .fixed(value.channels)])
  }

  /// A convolution.
  ///
  /// Without bias the weights have He's variance. With bias, weights and bias are scaled so that each
  /// channel has a mean near the activations' and variance one, which stands in for training where nothing is
  /// normalised. The weights of each output sum to zero where the inputs have means and no groups.
  mutating func convolution(
    _ x: FeatureMap, _ name: String, channels: Int, _ window: Window, groups: Int = 1,
    bias: Bool = false, coherence: FilterCoherence = .coded
  ) -> FeatureMap {
    scope(name) { graph in
      let inputs = x.channels / groups
      let taps = window.size * window.size
      let coverage = WindowCoverage(window, height: x.height, width: x.width)
      var weights =
        groups == 1
        ? graph.filters(
          x.statistics, outputs: channels, size: window.size, coherence: coherence)
        : graph.depthwiseFilters(x.statistics.code, channels: channels, taps: taps)
      if groups == 1, !x.statistics.isCentred { Self.balance(&weights, rows: channels) }
      var statistics = x.statistics.convolved(
        weights, outputs: channels, groups: groups, coverage: coverage)
      Self.normalize(&weights, &statistics, isUnitVariance: bias)
      statistics.carry(groups == 1 ? ChannelCode(channels: channels) : x.statistics.code)
      let shape = [channels, inputs, window.size, window.size]
      var operands = [x.name, graph.weight("weight", weights, shape: shape)]
      if bias {
        operands.append(graph.centringBias(&statistics, mean: graph.activationMean))
      }
      let result = graph.node(
        "Conv", operands,
        [.integers("dilations", [1, 1]), .integer("group", groups)] + window.attributes)
      return FeatureMap(
        name: result, height: window.outputExtent(x.height),
        width: window.outputExtent(x.width), statistics: statistics)
    }
  }

  /// A fully connected layer; its features have means near zero and variance one.
  mutating func fullyConnected(
    _ x: FeatureMap, _ name: String, features: Int, coherence: FilterCoherence = .coded
  ) -> FeatureMap {
    scope(name) { graph in
      var weights = graph.filters(
        x.statistics, outputs: features, size: 1, coherence: coherence)
      if !x.statistics.isCentred { Self.balance(&weights, rows: features) }
      var statistics = x.statistics.convolved(
        weights, outputs: features, groups: 1,
        coverage: WindowCoverage(Window(1), height: 1, width: 1))
      Self.normalize(&weights, &statistics, isUnitVariance: true)
      statistics.carry(ChannelCode(channels: features))
      let weight = graph.weight("weight", weights, shape: [features, x.channels])
      let bias = graph.centringBias(&statistics)
      let result = graph.node(
        "Gemm", [x.name, weight, bias],
        [.number("alpha", 1), .number("beta", 1), .integer("transB", 1)])
      return FeatureMap(name: result, height: 1, width: 1, statistics: statistics)
    }
  }

  /// Scales each output's weights to a result of variance one, or to He's variance on average.
  private static func normalize(
    _ weights: inout [Float], _ statistics: inout ChannelStatistics, isUnitVariance: Bool
  ) {
    let columns = weights.count / statistics.count
    let squares = weights.reduce(0.0) { $0 + Double($1 * $1) }
    let power = Float(squares / Double(statistics.count))
    for output in 0..<statistics.count {
      let variance = statistics.variance[output]
      let scale = (isUnitVariance ? 1 / variance : 2 / power).squareRoot()
      statistics.mean[output] *= scale
      statistics.variance[output] = variance * scale * scale
      weights.withUnsafeMutableBufferPointer { weights in
        for position in output * columns..<(output + 1) * columns { weights[position] *= scale }
      }
    }
  }

  /// Takes the sum of each row to zero, so that what all inputs have in common is not passed on.
  private static func balance(_ weights: inout [Float], rows: Int) {
    let columns = weights.count / rows
    weights.withUnsafeMutableBufferPointer { weights in
      for start in stride(from: 0, to: rows * columns, by: columns) {
        var sum: Float = 0
        for position in start..<start + columns { sum += weights[position] }
        let mean = sum / Float(columns)
        for position in start..<start + columns { weights[position] -= mean }
      }
    }
  }

  /// A bias that takes each channel's mean near a given one.
  private mutating func centringBias(
    _ statistics: inout ChannelStatistics, mean: Float = 0
  ) -> String {
    let offsets = random("bias", count: statistics.count, mean: mean, standardDeviation: 0.1)
    let values = zip(offsets, statistics.mean).map { $0 - $1 }
    statistics.mean = offsets
    return weight("bias", values, shape: [statistics.count])
  }

  /// Batch normalisation with the statistics that its input has.
  ///
  /// - Parameters:
  ///   - gain: the mean of the channels' scales.
  ///   - isActivated: whether an activation follows at once; what is added to another map keeps its mean at
  ///     zero, or means would pile up.
  mutating func batchNormalization(
    _ x: FeatureMap, _ name: String, gain: Float = 1, isActivated: Bool = true,
    epsilon: Float = 1e-5
  ) -> FeatureMap {
    scope(name) { graph in
      let scales = graph.random(
        "weight", count: x.channels, mean: gain, standardDeviation: 0.1 * gain)
      let offsets = graph.random(
        "bias", count: x.channels, mean: isActivated ? gain * graph.activationMean : 0,
        standardDeviation: 0.1)
      let shape = [x.channels]
      let operands = [
        x.name,
        graph.weight("weight", scales, shape: shape),
        graph.weight("bias", offsets, shape: shape),
        graph.weight("running_mean", x.statistics.mean, shape: shape),
        graph.weight("running_var", x.statistics.variance, shape: shape),
      ]
      let result = graph.node(
        "BatchNormalization", operands,
        [.number("epsilon", epsilon), .number("momentum", 0.9), .integer("training_mode", 0)])
      let statistics = x.statistics.becoming(mean: offsets, variance: scales.map { $0 * $0 })
      return x.becoming(result, statistics)
    }
  }

  mutating func relu(_ x: FeatureMap) -> FeatureMap {
    x.becoming(node("Relu", [x.name]), x.statistics.rectified())
  }

  /// `min(max(x, 0), 6)`.
  mutating func relu6(_ x: FeatureMap) -> FeatureMap {
    let lowest = constant(number: 0)
    let highest = constant(number: 6)
    return x.becoming(node("Clip", [x.name, lowest, highest]), x.statistics.rectified())
  }

  mutating func maxPool(_ x: FeatureMap, _ window: Window) -> FeatureMap {
    let result = node(
      "MaxPool", [x.name],
      [.integer("ceil_mode", window.isRoundedUp ? 1 : 0), .integers("dilations", [1, 1])]
        + window.attributes)
    return FeatureMap(
      name: result, height: window.outputExtent(x.height), width: window.outputExtent(x.width),
      statistics: x.statistics.maximum(over: window))
  }

  /// The mean over all positions, as a vector of features.
  mutating func globalAveragePool(_ x: FeatureMap) -> FeatureMap {
    let pooled = node("GlobalAveragePool", [x.name])
    let mean = FeatureMap(
      name: pooled, height: 1, width: 1,
      statistics: x.statistics.averaged(over: x.height * x.width))
    return flatten(mean)
  }

  mutating func flatten(_ x: FeatureMap) -> FeatureMap {
    FeatureMap(
      name: node("Flatten", [x.name], [.integer("axis", 1)]), height: 1, width: 1,
      statistics: x.statistics.flattened(positions: x.height * x.width))
  }

  mutating func add(_ x: FeatureMap, _ y: FeatureMap) -> FeatureMap {
    x.becoming(node("Add", [x.name, y.name]), x.statistics.adding(y.statistics))
  }

  /// The sum of a branch and what went around it, rectified.
  mutating func addAndRectify(_ branch: FeatureMap, shortcut: FeatureMap) -> FeatureMap {
    let sum = node("Add", [branch.name, shortcut.name])
    return branch.becoming(
      node("Relu", [sum]), shortcut.statistics.rectifiedSum(with: branch.statistics))
  }

  /// The channels of several maps, one behind the other.
  mutating func concatenate(_ first: FeatureMap, _ others: [FeatureMap]) -> FeatureMap {
    let result = node(
      "Concat", [first.name] + others.map(\.name), [.integer("axis", 1)])
    let statistics = others.reduce(first.statistics) { $0.appending($1.statistics) }
    return first.becoming(result, statistics)
  }
}

extension FeatureMap {
  /// A value of the same height and width.
  fileprivate func becoming(_ name: String, _ statistics: ChannelStatistics) -> FeatureMap {
    FeatureMap(name: name, height: height, width: width, statistics: statistics)
  }
}
