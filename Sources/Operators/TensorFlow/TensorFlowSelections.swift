import GraphModel
import KernelModel
import TensorModel

/// The coordinates of the elements that are not zero, one row each. Source: TensorFlow `Where`.
struct TensorFlowWhere: HostOperator {
  static let spellings = [Spelling.tensorflow("Where")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let count = expansion.freshSymbol("count")
    try emitHostOrFold(&expansion, outputs: [TensorType(.int64, [count, Dimension(x.rank)])])
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let shape = try HostInputs.tensor(inputs, 0).shape
    let found: [Int]
    if let integers = try HostInputs.tensor(inputs, 0).integers() {
      found = integers.indices.filter { integers[$0] != 0 }
    } else {
      let numbers = try HostInputs.numbers(inputs, 0)
      found = numbers.indices.filter { numbers[$0] != 0 }
    }
    let strides = ShapeMath.rowMajorStrides(shape)
    var result: [Int64] = []
    result.reserveCapacity(found.count * shape.count)
    for position in found {
      for axis in shape.indices { result.append(Int64(position / strides[axis] % shape[axis])) }
    }
    return [try HostInputs.integers(result, .int64, [found.count, shape.count])]
  }
}

/// The distinct elements in the order in which they come first, which one each element is, and how often
/// each occurs. Source: TensorFlow `Unique`, `UniqueV2`, `UniqueWithCounts`.
struct TensorFlowUnique: HostOperator {
  static let spellings = [
    Spelling.tensorflow("Unique"), .tensorflow("UniqueV2"), .tensorflow("UniqueWithCounts"),
    .tensorflow("UniqueWithCountsV2"),
  ]

  private let type: DataType

  init(_ attributes: AttributeReader) throws(OperatorError) {
    type = try attributes.dataType("out_idx") ?? .int32
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 1 else { throw OperatorError("expected one axis, found \(x.type)") }
    let count = expansion.freshSymbol("count")
    let types = [
      TensorType(x.dataType, [count]), TensorType(type, x.shape), TensorType(type, [count]),
    ]
    try emitHostOrFold(&expansion, outputs: types.prefixed(expansion.outputCount))
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let record = OperatorRecord(
      domain: "onnx", name: "Unique", version: 11, attributes: ["sorted": .int(0)])
    let results = try Unique(AttributeReader(record)).evaluate([try HostInputs.tensor(inputs, 0)])
    func narrow(_ index: Int) throws(OperatorError) -> Tensor {
      let tensor = results[index]
      return try HostInputs.integers(tensor.integers() ?? [], type, tensor.shape)
    }
    return [results[0], try narrow(2), try narrow(3)]
  }
}

/// Boxes in the order of their scores, without those that overlap a better one too much.
/// Source: TensorFlow `NonMaxSuppression` and its versions.
struct TensorFlowNonMaxSuppression: HostOperator {
  static let spellings = [
    "NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4",
    "NonMaxSuppressionV5",
  ].map { Spelling.tensorflow($0) }

  private let version: Int
  private let overlap: Double
  private let pads: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    version = attributes.name.last?.wholeNumberValue ?? 1
    overlap = try attributes.float("iou_threshold", default: 0.5)
    pads = try attributes.bool("pad_to_max_output_size", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (boxes, scores) = (try expansion.input(0), try expansion.input(1))
    guard boxes.rank == 2, scores.rank == 1, boxes.shape[1].constant ?? 4 == 4 else {
      throw OperatorError("boxes are \(boxes.type) and scores \(scores.type)")
    }
    var count = expansion.freshSymbol("count")
    if pads, let limit = expansion.dimensions(try expansion.input(2))?.first { count = limit }
    var types = [TensorType(.int32, [count])]
    if version == 5 { types.append(TensorType(scores.dataType, [count])) }
    if version >= 4 { types.append(TensorType(.int32, [Int]())) }
    try emitHostOrFold(&expansion, outputs: types.prefixed(expansion.outputCount))
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let boxes = try HostInputs.tensor(inputs, 0), scores = try HostInputs.tensor(inputs, 1)
    let limit = max(try HostInputs.integers(inputs, 2).first ?? 0, 0)
    if version == 5, try HostInputs.optionalNumbers(inputs, 5)?.first ?? 0 != 0 {
      throw OperatorError("soft suppression (soft_nms_sigma other than 0) is not supported")
    }
    let chosen = try BoxSelection.choose(
      boxes, scores, limit: limit,
      overlap: try HostInputs.optionalNumbers(inputs, 3)?.first ?? overlap,
      threshold: try HostInputs.optionalNumbers(inputs, 4)?.first)
    let filling = pads ? [Int](repeating: 0, count: limit - chosen.count) : []
    let places = (chosen + filling).map { Int64($0) }
    var results = [try HostInputs.integers(places, .int32, [places.count])]
    if version == 5 {
      let values = try HostInputs.numbers(inputs, 1)
      results.append(
        try HostInputs.numbers(
          chosen.map { values[$0] } + filling.map { _ in 0 }, scores.dataType, [places.count]))
    }
    if version >= 4 { results.append(try HostInputs.integers([Int64(chosen.count)], .int32, [])) }
    return results
  }
}

/// The choice that suppression makes for one class.
private enum BoxSelection {
  /// - Parameters:
  ///   - boxes: `[B, 4]`.
  ///   - scores: `[B]`.
  static func choose(
    _ boxes: Tensor, _ scores: Tensor, limit: Int, overlap: Double, threshold: Double?
  ) throws(OperatorError) -> [Int] {
    let count = scores.shape.first ?? 0
    let record = OperatorRecord(
      domain: "onnx", name: "NonMaxSuppression", version: 11, attributes: [:])
    var inputs: [Tensor?] = [
      try HostInputs.reshaped(boxes, [1, count, 4]),
      try HostInputs.reshaped(scores, [1, 1, count]),
      try HostInputs.integers([Int64(limit)], .int64, []),
      try HostInputs.numbers([overlap], .float64, []),
    ]
    if let threshold, threshold.isFinite {
      inputs.append(try HostInputs.numbers([threshold], .float64, []))
    }
    let found = try NonMaxSuppression(AttributeReader(record)).evaluate(inputs)[0].integers() ?? []
    return stride(from: 2, to: found.count, by: 3).map { Int(found[$0]) }
  }
}

/// Suppression for each class of each image, the best of all classes kept.
/// Source: TensorFlow `CombinedNonMaxSuppression`.
struct TensorFlowCombinedSuppression: HostOperator {
  static let spellings = [Spelling.tensorflow("CombinedNonMaxSuppression")]

  private let padsPerClass: Bool
  private let clips: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    padsPerClass = try attributes.bool("pad_per_class", default: false)
    clips = try attributes.bool("clip_boxes", default: true)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (boxes, scores) = (try expansion.input(0), try expansion.input(1))
    guard boxes.rank == 4, scores.rank == 3 else {
      throw OperatorError("boxes are \(boxes.type) and scores \(scores.type)")
    }
    let batch = boxes.shape[0]
    var count = expansion.freshSymbol("count")
    if !padsPerClass, let total = expansion.dimensions(try expansion.input(3))?.first {
      count = total
    }
    let types = [
      TensorType(.float32, [batch, count, 4]), TensorType(.float32, [batch, count]),
      TensorType(.float32, [batch, count]), TensorType(.int32, [batch]),
    ]
    try emitHostOrFold(&expansion, outputs: types.prefixed(expansion.outputCount))
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let shape = try HostInputs.tensor(inputs, 0).shape
    let scoreShape = try HostInputs.tensor(inputs, 1).shape
    guard shape.count == 4, shape[3] == 4, scoreShape.count == 3, scoreShape[0] == shape[0],
      scoreShape[1] == shape[1], shape[2] == 1 || shape[2] == scoreShape[2]
    else { throw OperatorError("boxes \(shape) and scores \(scoreShape) do not fit together") }
    let boxes = try HostInputs.numbers(inputs, 0), scores = try HostInputs.numbers(inputs, 1)
    let perClass = max(try HostInputs.integers(inputs, 2).first ?? 0, 0)
    let total = max(try HostInputs.integers(inputs, 3).first ?? 0, 0)
    let overlap = try HostInputs.numbers(inputs, 4).first ?? 0.5
    let threshold = try HostInputs.numbers(inputs, 5).first
    let (count, classes) = (shape[1], scoreShape[2])
    let kept = padsPerClass ? min(total, perClass * classes) : total
    var results: (boxes: [Double], scores: [Double], classes: [Double], valid: [Int64])
    results = ([], [], [], [])
    for image in 0..<shape[0] {
      var found: [(score: Double, category: Int, box: [Double])] = []
      for category in 0..<classes {
        let group = shape[2] == 1 ? 0 : category
        let own = (0..<count).map { index -> [Double] in
          Array(boxes[(((image * count + index) * shape[2] + group) * 4)...].prefix(4))
        }
        let values = (0..<count).map { scores[(image * count + $0) * classes + category] }
        let chosen = try BoxSelection.choose(
          try HostInputs.numbers(own.flatMap { $0 }, .float64, [count, 4]),
          try HostInputs.numbers(values, .float64, [count]), limit: perClass, overlap: overlap,
          threshold: threshold)
        found += chosen.map { (values[$0], category, own[$0]) }
      }
      let order = found.indices.sorted {
        found[$0].score > found[$1].score || (found[$0].score == found[$1].score && $0 < $1)
      }.prefix(kept)
      let padding = kept - order.count
      results.boxes += order.flatMap { index in
        found[index].box.map { clips ? min(max($0, 0), 1) : $0 }
      }
      results.boxes += [Double](repeating: 0, count: padding * 4)
      results.scores += order.map { found[$0].score } + [Double](repeating: 0, count: padding)
      results.classes += order.map { Double(found[$0].category) }
      results.classes += [Double](repeating: 0, count: padding)
      results.valid.append(Int64(order.count))
    }
    return [
      try HostInputs.numbers(results.boxes, .float32, [shape[0], kept, 4]),
      try HostInputs.numbers(results.scores, .float32, [shape[0], kept]),
      try HostInputs.numbers(results.classes, .float32, [shape[0], kept]),
      try HostInputs.integers(results.valid, .int32, [shape[0]]),
    ]
  }
}

/// Sums and extrema of rows that have one number. Source: TensorFlow `UnsortedSegmentSum` and its kin,
/// `SegmentSum` with constant numbers, `DenseBincount`.
struct TensorFlowSegments: DataDependentOperator {
  private static let combinations: [String: (Scatter.Combination, Double)] = [
    "UnsortedSegmentSum": (.add, 0), "UnsortedSegmentProd": (.multiply, 1),
    "UnsortedSegmentMax": (.maximum, -Double(Float.greatestFiniteMagnitude)),
    "UnsortedSegmentMin": (.minimum, Double(Float.greatestFiniteMagnitude)),
    "SegmentSum": (.add, 0), "DenseBincount": (.add, 0),
  ]

  static let spellings = combinations.keys.sorted().map { Spelling.tensorflow($0) }

  private let name: String
  private let isBinary: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    isBinary = try attributes.bool("binary_output", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    guard let (combination, start) = Self.combinations[name] else { return }
    if name == "DenseBincount" { return try count(&expansion) }
    let data = try expansion.input(0)
    let ids = try expansion.cast(try expansion.input(1), to: .int64)
    guard start == 0 || start == 1 || data.dataType == .float32 else {
      throw OperatorError("extrema of \(data.dataType) are not supported")
    }
    let segments: Dimension
    if name == "SegmentSum" {
      guard let known = expansion.integers(ids) else {
        throw OperatorError("the numbers of the segments are not known before the model runs")
      }
      segments = Dimension((known.max() ?? -1) + 1)
    } else {
      guard let given = expansion.dimensions(try expansion.input(2))?.first else {
        let count = expansion.freshSymbol("segments")
        let rest = data.shape.dimensions.dropFirst(ids.rank)
        return try emitHostOrFold(
          &expansion, outputs: [TensorType(data.dataType, Shape([count] + rest))])
      }
      segments = given
    }
    guard ids.rank <= data.rank else { throw OperatorError("the data are \(data.type)") }
    let rest = Array(data.shape.dimensions[ids.rank...])
    let rows = try expansion.reshape(data, Shape([ids.shape.elementCount] + rest))
    let base = try expansion.emit(
      .pointwise(Pointwise(.constant(start, data.dataType), shape: Shape([segments] + rest))), [])
    expansion.set(
      0,
      try expansion.emit(
        .scatter(Scatter(.coordinates, combination)),
        [base, try places(ids, segments, &expansion), rows]))
  }

  /// Numbers as coordinates; negative ones lie outside, where nothing is written.
  private func places(
    _ ids: Operand, _ segments: Dimension, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let column = try expansion.reshape(ids, [ids.shape.elementCount, 1])
    return try expansion.pointwise(
      .select(.less(.operand(0), .integer64(0)), .operand(1), .operand(0)),
      [column, expansion.extent(segments)])
  }

  private func count(_ expansion: inout Expansion) throws(OperatorError) {
    let values = try expansion.cast(try expansion.input(0), to: .int64)
    let weights = try expansion.input(2)
    guard values.rank == 1, !isBinary else {
      throw OperatorError("only counts of one axis are supported, x is \(values.type)")
    }
    guard let size = expansion.dimensions(try expansion.input(1))?.first else {
      let count = expansion.freshSymbol("counts")
      return try emitHostOrFold(&expansion, outputs: [TensorType(weights.dataType, [count])])
    }
    let type = weights.dataType
    let base = try expansion.emit(
      .pointwise(Pointwise(.constant(0, type), shape: [size])), [])
    let isCounted = weights.shape.elementCount == 0
    let amounts =
      isCounted
      ? try expansion.emit(
        .pointwise(Pointwise(.constant(1, type), shape: values.shape)), []) : weights
    expansion.set(
      0,
      try expansion.emit(
        .scatter(Scatter(.coordinates, .add)),
        [base, try places(values, size, &expansion), amounts]))
  }
}

/// Losses from scores. Source: TensorFlow `SparseSoftmaxCrossEntropyWithLogits`,
/// `SoftmaxCrossEntropyWithLogits`; their gradients are not computed.
struct TensorFlowCrossEntropy: Operator {
  static let spellings = [
    Spelling.tensorflow("SparseSoftmaxCrossEntropyWithLogits"),
    .tensorflow("SoftmaxCrossEntropyWithLogits"),
  ]

  private let isSparse: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isSparse = attributes.name.hasPrefix("Sparse")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (scores, labels) = (try expansion.input(0), try expansion.input(1))
    guard scores.rank == 2 else { throw OperatorError("expected rows, found \(scores.type)") }
    let logarithms = try expansion.emit(
      .normalization(Normalization(.logSoftmax(axis: 1))), [scores])
    if isSparse {
      let column = try expansion.unsqueeze(try expansion.cast(labels, to: .int64), axes: [1])
      let chosen = try expansion.emit(.gather(.coordinates(batchAxes: 1)), [logarithms, column])
      return expansion.set(0, try expansion.pointwise(-.operand(0), [chosen]))
    }
    let products = try expansion.pointwise(-(.operand(0) * .operand(1)), [logarithms, labels])
    expansion.set(0, try expansion.reduce(.sum, products, axes: [1], keepsDimensions: false))
  }
}
