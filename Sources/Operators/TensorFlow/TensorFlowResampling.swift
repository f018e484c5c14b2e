import GraphModel
import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Resizes with the weights that TensorFlow tabulates: as two matrix products, one for each spatial axis.
/// Source: TensorFlow `ScaleAndTranslate`, `ResizeArea`, `ResizeBicubic`.
struct TensorFlowWeightedResize: Operator {
  static let spellings = [
    Spelling.tensorflow("ScaleAndTranslate"), .tensorflow("ResizeArea"),
    .tensorflow("ResizeBicubic"),
  ]

  private let name: String
  private let alignsCorners: Bool
  private let usesHalfPixels: Bool
  private let kernel: ResamplingKernel
  private let antialiases: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    alignsCorners = try attributes.bool("align_corners", default: false)
    usesHalfPixels = try attributes.bool("half_pixel_centers", default: false)
    antialiases = try attributes.bool("antialias", default: true)
    let text = try attributes.string("kernel_type", default: "lanczos3")
    guard let kernel = ResamplingKernel(rawValue: text) else {
      throw OperatorError("attribute 'kernel_type' is '\(text)', which is not supported")
    }
    self.kernel = kernel
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.cast(try expansion.input(0), to: .float32)
    guard x.rank == 4 else { throw OperatorError("x is \(x.type), expected images") }
    guard let sizes = expansion.integers(try expansion.input(1)), sizes.count == 2,
      let height = x.shape[1].constant, let width = x.shape[2].constant
    else { throw .waiting(for: "the sizes of the images are not known") }
    guard sizes.allSatisfy({ (1...65536).contains($0) }), height > 0, width > 0 else {
      throw OperatorError("the size of the result is \(sizes)")
    }
    var placement: [(scale: Float, translation: Float)] = [(1, 0), (1, 0)]
    if name == "ScaleAndTranslate" {
      guard let scales = expansion.numbers(try expansion.input(2)),
        let translations = expansion.numbers(try expansion.input(3)), scales.count == 2,
        translations.count == 2, scales.allSatisfy({ $0 > 0 })
      else { throw .waiting(for: "the scales are not known") }
      placement = zip(scales, translations).map { (Float($0), Float($1)) }
    }
    let rows = try expansion.constant(matrix(height, sizes[0], placement[0]))
    let columns = try expansion.constant(matrix(width, sizes[1], placement[1]))
    let (n, c) = (x.shape[0], x.shape[3])
    let lines = try expansion.matmul(
      rows, try expansion.reshape(x, [n, x.shape[1], x.shape[2] * c]))
    let tall = Dimension(sizes[0])
    let pixels = try expansion.matmul(
      columns, try expansion.reshape(lines, [n * tall, x.shape[2], c]))
    expansion.set(0, try expansion.reshape(pixels, [n, tall, Dimension(sizes[1]), c]))
  }

  /// The weight of each input (column) in each output (row).
  private func matrix(
    _ extent: Int, _ size: Int, _ placement: (scale: Float, translation: Float)
  ) throws(OperatorError) -> Tensor {
    var weights = [Float](repeating: 0, count: extent * size)
    for place in 0..<size {
      let row = place * extent
      switch name {
      case "ScaleAndTranslate":
        for (source, weight) in kernel.taps(
          extent, place, placement.scale, placement.translation, antialiases: antialiases)
        {
          weights[row + source] += weight
        }
      case "ResizeArea":
        for (source, weight) in area(extent, place, size) { weights[row + source] += weight }
      default:
        for (source, weight) in cubic(extent, place, size) { weights[row + source] += weight }
      }
    }
    do {
      return try Tensor(
        numbers: weights.map(Double.init), dataType: .float32, shape: [size, extent])
    } catch { throw OperatorError(error.description) }
  }

  private func scale(_ extent: Int, _ size: Int) -> Float {
    alignsCorners && size > 1 ? Float(extent - 1) / Float(size - 1) : Float(extent) / Float(size)
  }

  private func area(_ extent: Int, _ place: Int, _ size: Int) -> [(Int, Float)] {
    let scale = scale(extent, size)
    let start = Float(place) * scale, end = Float(place + 1) * scale
    return (Int(start.rounded(.down))..<max(Int(end.rounded(.up)), Int(start.rounded(.down))))
      .map { source in
        let low = max(Float(source), start), high = min(Float(source + 1), end)
        return (min(source, extent - 1), (high - low) / scale)
      }
  }

  /// Keys' kernel from a table of 1,024 steps.
  private func cubic(_ extent: Int, _ place: Int, _ size: Int) -> [(Int, Float)] {
    let scale = scale(extent, size)
    let position = usesHalfPixels ? (Float(place) + 0.5) * scale - 0.5 : Float(place) * scale
    let first = position.rounded(.down)
    let step = ((position - first) * 1024).rounded(.toNearestOrEven)
    let a: Float = usesHalfPixels ? -0.5 : -0.75
    func near(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }
    func far(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    let distances = [step / 1024, (1024 - step) / 1024]
    let weights = [
      far(distances[0] + 1), near(distances[0]), near(distances[1]), far(distances[1] + 1),
    ]
    var taps: [(Int, Float)] = []
    for (index, weight) in weights.enumerated() {
      let source = Int(first) - 1 + index
      let inside = min(max(source, 0), extent - 1)
      taps.append((inside, usesHalfPixels && inside != source ? 0 : weight))
    }
    let sum = taps.reduce(0) { $0 + $1.1 }
    guard usesHalfPixels, sum.magnitude >= 1000 * Float.leastNormalMagnitude else { return taps }
    return taps.map { ($0.0, $0.1 / sum) }
  }
}

/// The functions that weigh pixels by distance, as `ScaleAndTranslate` names them.
enum ResamplingKernel: String, Sendable {
  case lanczos1, lanczos3, lanczos5, gaussian, box, triangle, keyscubic, mitchellcubic

  private var radius: Float {
    switch self {
    case .lanczos1, .box, .triangle: 1
    case .gaussian: 1.5
    case .keyscubic, .mitchellcubic: 2
    case .lanczos3: 3
    case .lanczos5: 5
    }
  }

  private func weight(_ x: Float) -> Float {
    switch self {
    case .lanczos1, .lanczos3, .lanczos5:
      if x > radius { return 0 }
      if x <= 1e-3 { return 1 }
      let angle = Float.pi * x
      return Float(
        Double(radius) * sin(Double(angle)) * sin(Double(angle / radius)))
        / (angle * angle)
    case .gaussian:
      let deviation = radius / 3
      return x >= radius ? 0 : Float(exp(Double(-x * x / (2 * deviation * deviation))))
    case .box: return x < 0.5 ? 1 : x == 0.5 ? 0.5 : 0
    case .triangle: return x < 1 ? 1 - x : 0
    case .keyscubic:
      if x >= 2 { return 0 }
      if x >= 1 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
      return ((1.5 * x - 2.5) * x) * x + 1
    case .mitchellcubic:
      if x >= 2 { return 0 }
      if x >= 1 { return (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9 }
      return (((7 / 6) * x - 2) * x) * x + 8 / 9
    }
  }

  /// The inputs that an output is made of, with their weights.
  func taps(
    _ extent: Int, _ place: Int, _ scale: Float, _ translation: Float, antialiases: Bool
  ) -> [(Int, Float)] {
    let inverse = 1 / scale
    let width = antialiases ? max(inverse, 1) : 1
    let sample = (Float(place) + 0.5) * inverse - inverse * translation
    guard sample >= 0, sample <= Float(extent) else { return [] }
    func bounded(_ value: Float) -> Int { min(max(Int(value), 0), extent - 1) }
    let start = bounded((sample - radius * width - 0.5).rounded(.up))
    let end = bounded((sample + radius * width - 0.5).rounded(.down))
    guard start <= end else { return [] }
    let taps = (start...end).map { source in
      (source, weight(((Float(source) + 0.5 - sample) / width).magnitude))
    }
    let sum = taps.reduce(0) { $0 + $1.1 }
    guard sum.magnitude >= 1000 * Float.leastNormalMagnitude else { return [] }
    return taps.map { ($0.0, $0.1 / sum) }
  }
}

/// Boxes cut out of images and resized. Source: TensorFlow `CropAndResize`.
struct TensorFlowCropAndResize: HostOperator {
  static let spellings = [Spelling.tensorflow("CropAndResize")]

  private let isNearest: Bool
  private let extrapolation: Float

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isNearest = try attributes.string("method", default: "bilinear") == "nearest"
    extrapolation = Float(try attributes.float("extrapolation_value", default: 0))
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, boxes) = (try expansion.input(0), try expansion.input(1))
    guard x.rank == 4, boxes.rank == 2,
      let size = expansion.dimensions(try expansion.input(3)), size.count == 2
    else { throw OperatorError("x is \(x.type), the boxes are \(boxes.type)") }
    try emitHostOrFold(
      &expansion,
      outputs: [TensorType(.float32, [boxes.shape[0], size[0], size[1], x.shape[3]])])
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let shape = try HostInputs.tensor(inputs, 0).shape
    let x = try HostInputs.numbers(inputs, 0).map { Float($0) }
    let boxes = try HostInputs.numbers(inputs, 1).map { Float($0) }
    let images = try HostInputs.integers(inputs, 2), size = try HostInputs.integers(inputs, 3)
    guard shape.count == 4, size.count == 2, size.allSatisfy({ (1...65536).contains($0) }),
      boxes.count == 4 * images.count, images.allSatisfy({ (0..<shape[0]).contains($0) })
    else { throw OperatorError("boxes, their images and the size do not fit together") }
    let channels = shape[3]
    var result: [Double] = []
    func pixel(_ image: Int, _ row: Int, _ column: Int, _ channel: Int) -> Float {
      x[((image * shape[1] + row) * shape[2] + column) * channels + channel]
    }
    for (index, image) in images.enumerated() {
      let box = Array(boxes[(4 * index)...].prefix(4))
      let rows = Self.positions(box[0], box[2], extent: shape[1], count: size[0])
      let columns = Self.positions(box[1], box[3], extent: shape[2], count: size[1])
      for y in rows {
        for x in columns {
          for channel in 0..<channels {
            guard let y, let x else {
              result.append(Double(extrapolation))
              continue
            }
            guard !isNearest else {
              let row = Int(y.rounded(.toNearestOrAwayFromZero))
              let column = Int(x.rounded(.toNearestOrAwayFromZero))
              result.append(Double(pixel(image, row, column, channel)))
              continue
            }
            let (top, left) = (Int(y.rounded(.down)), Int(x.rounded(.down)))
            let (bottom, right) = (Int(y.rounded(.up)), Int(x.rounded(.up)))
            let (down, across) = (y - Float(top), x - Float(left))
            let first = pixel(image, top, left, channel)
            let above = first + (pixel(image, top, right, channel) - first) * across
            let second = pixel(image, bottom, left, channel)
            let below = second + (pixel(image, bottom, right, channel) - second) * across
            result.append(Double(above + (below - above) * down))
          }
        }
      }
    }
    return [
      try HostInputs.numbers(result, .float32, [images.count, size[0], size[1], channels])
    ]
  }

  /// Where samples lie along one axis; nil outside of the image.
  private static func positions(
    _ low: Float, _ high: Float, extent: Int, count: Int
  ) -> [Float?] {
    let last = Float(extent - 1)
    let step = count > 1 ? (high - low) * last / Float(count - 1) : 0
    return (0..<count).map { index in
      let position =
        count > 1 ? low * last + Float(index) * step : 0.5 * (low + high) * last
      return position >= 0 && position <= last ? position : nil
    }
  }
}
