public import Foundation
import GraphModel
public import TensorModel

/// Samples to calibrate with: a `.npy` file whose first axis counts samples; for a network with several
/// inputs, a `.npz` file with an array for each, or a folder of `.npy` files named after the inputs
/// (`INPUT.npy`; a slash in a name is `_`); a folder of `.npz` files, which follow each other; or, for a
/// network that takes pictures, a folder of PNG and JPEG images, which are read when they are needed.
///
/// Integers become floating-point numbers of the same value where the input takes those.
public struct CalibrationData: AsyncSequence, Sendable {
  /// A batch: tensors by input name.
  public typealias Element = [String: Tensor]

  /// The samples of one input.
  struct Column: Sendable {
    enum Samples: Sendable {
      case tensor(Tensor)
      case images(ImageSamples)
    }

    var name: String
    var type: DataType
    var samples: Samples

    var count: Int {
      switch samples {
      case .tensor(let tensor): tensor.shape[0]
      case .images(let images): images.paths.count
      }
    }
  }

  private let columns: [Column]
  private let range: Range<Int>
  /// Samples of a batch; the last one may have fewer where the model takes any number.
  package let batch: Int
  private let isFixed: Bool
  /// Samples at the end that fill no batch of the size that the model insists on.
  package let leftOut: Int

  /// Reads all samples.
  ///
  /// - Parameters:
  ///   - url: a file or a folder.
  ///   - model: the network that they are for.
  ///   - batch: samples of a batch, where the model does not fix it.
  ///   - shapes: extents that are fixed beyond the model's own, by input name.
  ///   - images: how images become numbers.
  /// - Throws: `NeedletailError` for an empty set, a wrong shape, an unknown input, or NaN or infinities.
  public init(
    contentsOf url: URL, for model: Model, batch: Int = 32, shapes: [String: [Int]] = [:],
    images: ImageOptions = ImageOptions()
  ) throws(NeedletailError) {
    let graph = try model.graph.fixingInputs(shapes)
    let names = graph.inputs.map { graph[$0].name }
    let files = try CalibrationFiles.find(url, inputs: names)
    var columns: [Column] = []
    if case .images(let paths) = files {
      guard let id = graph.inputs.first, let type = graph[id].type else {
        throw NeedletailError(.input, "the type of the input is not known")
      }
      let samples = try ImageSamples(paths, type: type, name: names[0], options: images)
      columns = [Column(name: names[0], type: type.dataType, samples: .images(samples))]
    } else {
      guard images.isDefault else {
        throw NeedletailError(
          .input,
          "an image size, mean, deviation or layout is for a folder of images; "
            + "'\(url.path)' is none")
      }
      for (id, array) in zip(graph.inputs, try files.arrays(names)) {
        columns.append(
          try Column(array.path, array.tensor, name: graph[id].name, type: graph[id].type))
      }
    }
    let fixed = graph.inputs.lazy.compactMap {
      graph[$0].type?.shape.dimensions.first?.constant
    }.first
    try self.init(columns, fixed: fixed, batch: batch)
  }

  private init(_ columns: [Column], fixed: Int?, batch: Int) throws(NeedletailError) {
    guard let first = columns.first else {
      throw NeedletailError(.input, "a model without inputs cannot be calibrated")
    }
    let count = first.count
    for column in columns where column.count != count {
      throw NeedletailError(
        .input,
        "calibration data has \(count) samples for input '\(first.name)' but "
          + "\(column.count) for '\(column.name)'")
    }
    guard count > 0 else { throw NeedletailError(.input, "the calibration set is empty") }
    let size = fixed ?? batch
    guard size > 0 else {
      throw NeedletailError(.input, "a batch must have at least one sample, not \(size)")
    }
    guard fixed == nil || count >= size else {
      throw NeedletailError(
        .input, "the model takes batches of \(size), but the calibration set has \(count) samples")
    }
    for column in columns { try column.checkNumbers() }
    let used = fixed == nil ? count : count - count % size
    self.init(columns, 0..<used, batch: size, isFixed: fixed != nil, leftOut: count - used)
  }

  private init(
    _ columns: [Column], _ range: Range<Int>, batch: Int, isFixed: Bool, leftOut: Int
  ) {
    self.columns = columns
    self.range = range
    self.batch = batch
    self.isFixed = isFixed
    self.leftOut = leftOut
  }

  /// Samples in all batches.
  public var sampleCount: Int { range.count }
  package var batchCount: Int { (range.count + batch - 1) / batch }

  /// The last quarter by itself, and what is before it.
  package func dividingLastQuarter() throws(NeedletailError) -> (
    ranges: CalibrationData, heldOut: CalibrationData
  ) {
    let unit = isFixed ? batch : 1
    let units = range.count / unit
    guard units > 1 else {
      throw NeedletailError(
        .input,
        "a bound on the error needs data beyond that for the ranges: at least \(2 * unit) samples, "
          + "found \(range.count)")
    }
    let place = range.upperBound - Swift.max(units / 4, 1) * unit
    return (part(range.lowerBound..<place), part(place..<range.upperBound))
  }

  /// The first samples as one batch, as far as the model takes so few.
  package func prefix(_ samples: Int) -> CalibrationData {
    let count = isFixed ? batch : Swift.min(samples, range.count)
    return CalibrationData(
      columns, range.lowerBound..<(range.lowerBound + count), batch: count, isFixed: isFixed,
      leftOut: leftOut)
  }

  private func part(_ range: Range<Int>) -> CalibrationData {
    CalibrationData(columns, range, batch: batch, isFixed: isFixed, leftOut: leftOut)
  }

  package func tensors(ofBatch index: Int) throws(NeedletailError) -> [String: Tensor] {
    let start = range.lowerBound + index * batch
    let samples = start..<Swift.min(start + batch, range.upperBound)
    var result: [String: Tensor] = [:]
    for column in columns { result[column.name] = try column.slice(samples) }
    return result
  }

  /// Goes through the batches.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let data: CalibrationData
    var index = 0

    /// The next batch.
    public mutating func next() async throws -> [String: Tensor]? {
      guard index < data.batchCount else { return nil }
      defer { index += 1 }
      return try data.tensors(ofBatch: index)
    }
  }

  /// An iterator from the first batch on.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(data: self) }
}

// MARK: - One input

extension CalibrationData.Column {
  init(
    _ path: String, _ tensor: Tensor, name: String, type: TensorType?
  ) throws(NeedletailError) {
    guard let type else {
      throw NeedletailError(.input, "the type of input '\(name)' is not known")
    }
    let fits =
      type.rank == tensor.shape.count && type.rank > 0
      && zip(type.shape.dimensions, tensor.shape).dropFirst().allSatisfy {
        $0.constant == nil || $0.constant == $1
      }
    guard fits else {
      throw NeedletailError(
        .input,
        "calibration data '\(path)' has shape \(Shape(tensor.shape)); input '\(name)' expects "
          + "\(type.shape), the first axis being that of the samples")
    }
    let isNumber = tensor.dataType.isFloatingPoint || tensor.dataType.isInteger
    let isReal = type.dataType.isFloatingPoint
    guard isReal ? isNumber : tensor.dataType == type.dataType || tensor.integers() != nil else {
      throw NeedletailError(
        .input,
        "calibration data '\(path)' holds \(tensor.dataType); input '\(name)' takes "
          + "\(type.dataType)")
    }
    self.init(name: name, type: type.dataType, samples: .tensor(tensor))
  }

  /// The samples as their input takes them.
  func slice(_ range: Range<Int>) throws(NeedletailError) -> Tensor {
    switch samples {
    case .images(let images): return try images.tensor(range, type)
    case .tensor(let tensor): return try slice(tensor, range)
    }
  }

  private func slice(_ tensor: Tensor, _ range: Range<Int>) throws(NeedletailError) -> Tensor {
    do {
      let raw = try tensor.samples(range)
      if raw.dataType == type { return raw }
      if type.isFloatingPoint, let numbers = raw.numbers() {
        return try Tensor(numbers: numbers, dataType: type, shape: raw.shape)
      }
      return try Tensor(integers: raw.integers() ?? [], dataType: type, shape: raw.shape)
    } catch { throw NeedletailError(.input, "input '\(name)': \(error.description)") }
  }

  /// - Throws: `NeedletailError` that names the first sample with NaN or an infinity.
  func checkNumbers() throws(NeedletailError) {
    guard case .tensor(let tensor) = samples, tensor.dataType.isFloatingPoint else { return }
    for sample in 0..<tensor.shape[0] {
      let numbers: [Double]
      do { numbers = try tensor.samples(sample..<(sample + 1)).numbers() ?? [] } catch {
        throw NeedletailError(.input, "input '\(name)': \(error.description)")
      }
      // What is beyond the input's own type would become an infinity there.
      let limit = type == .float16 ? 65519.0 : Double(Float.greatestFiniteMagnitude)
      guard let wrong = numbers.first(where: { !$0.isFinite || abs($0) > limit }) else { continue }
      throw NeedletailError(
        .input, "calibration data for input '\(name)': sample \(sample) holds \(wrong)")
    }
  }
}

extension Tensor {
  /// Part of the first axis.
  fileprivate func samples(_ range: Range<Int>) throws(TensorError) -> Tensor {
    var part = try Tensor(uninitialized: dataType, shape: [range.count] + shape.dropFirst())
    let start = shape[0] > 0 ? range.lowerBound * (byteCount / shape[0]) : 0
    let end = start + part.byteCount
    part.withUnsafeMutableBytes { target in
      withUnsafeBytes { target.copyBytes(from: $0[start..<end]) }
    }
    return part
  }
}
