public import Foundation
import GraphModel
public import TensorModel

/// Samples to calibrate with: a `.npy` file whose first axis counts samples, or, for a network with several
/// inputs, a folder of such files named after the inputs (`INPUT.npy`; a slash in a name is `_`).
///
/// Integers become floating-point numbers of the same value where the input takes those.
public struct CalibrationData: AsyncSequence, Sendable {
  /// A batch: tensors by input name.
  public typealias Element = [String: Tensor]

  struct Column: Sendable {
    var name: String
    var type: DataType
    var tensor: Tensor
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
  ///   - url: a `.npy` file or a folder of them.
  ///   - model: the network that they are for.
  ///   - batch: samples of a batch, where the model does not fix it.
  ///   - shapes: extents that are fixed beyond the model's own, by input name.
  /// - Throws: `NeedletailError` for an empty set, a wrong shape, an unknown input, or NaN or infinities.
  public init(
    contentsOf url: URL, for model: Model, batch: Int = 32, shapes: [String: [Int]] = [:]
  ) throws(NeedletailError) {
    let graph = try model.graph.fixingInputs(shapes)
    let files = try CalibrationFiles.find(url, inputs: graph.inputs.map { graph[$0].name })
    var columns: [Column] = []
    var fixed: Int?
    for (id, path) in zip(graph.inputs, files) {
      let tensor: Tensor
      do { tensor = try NPYFile.read(path) } catch {
        throw NeedletailError(.input, error.description)
      }
      let column = try Column(path, tensor, name: graph[id].name, type: graph[id].type)
      columns.append(column)
      fixed = fixed ?? graph[id].type?.shape.dimensions.first?.constant
    }
    try self.init(columns, fixed: fixed, batch: batch)
  }

  private init(_ columns: [Column], fixed: Int?, batch: Int) throws(NeedletailError) {
    guard let first = columns.first else {
      throw NeedletailError(.input, "a model without inputs cannot be calibrated")
    }
    let count = first.tensor.shape[0]
    for column in columns where column.tensor.shape[0] != count {
      throw NeedletailError(
        .input,
        "calibration data has \(count) samples for input '\(first.name)' but "
          + "\(column.tensor.shape[0]) for '\(column.name)'")
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
    self.init(name: name, type: type.dataType, tensor: tensor)
  }

  private var sampleBytes: Int {
    tensor.shape[0] > 0 ? tensor.byteCount / tensor.shape[0] : 0
  }

  /// The samples as their input takes them.
  func slice(_ samples: Range<Int>) throws(NeedletailError) -> Tensor {
    do {
      let raw = try rawSlice(samples)
      if raw.dataType == type { return raw }
      if type.isFloatingPoint, let numbers = raw.numbers() {
        return try Tensor(numbers: numbers, dataType: type, shape: raw.shape)
      }
      return try Tensor(integers: raw.integers() ?? [], dataType: type, shape: raw.shape)
    } catch { throw NeedletailError(.input, "input '\(name)': \(error.description)") }
  }

  private func rawSlice(_ samples: Range<Int>) throws(TensorError) -> Tensor {
    var raw = try Tensor(
      uninitialized: tensor.dataType, shape: [samples.count] + tensor.shape.dropFirst())
    let start = samples.lowerBound * sampleBytes
    let end = start + raw.byteCount
    raw.withUnsafeMutableBytes { target in
      tensor.withUnsafeBytes { target.copyBytes(from: $0[start..<end]) }
    }
    return raw
  }

  /// - Throws: `NeedletailError` that names the first sample with NaN or an infinity.
  func checkNumbers() throws(NeedletailError) {
    guard tensor.dataType.isFloatingPoint else { return }
    for sample in 0..<tensor.shape[0] {
      let numbers: [Double]
      do { numbers = try rawSlice(sample..<(sample + 1)).numbers() ?? [] } catch {
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

/// Which file is for which input.
enum CalibrationFiles {
  /// Paths in the order of the inputs.
  static func find(_ url: URL, inputs: [String]) throws(NeedletailError) -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw NeedletailError(.input, "calibration data '\(url.path)' does not exist")
    }
    if isFolder.boolValue { return try inFolder(url, inputs) }
    guard url.pathExtension == "npy" else {
      throw NeedletailError(
        .input,
        "calibration data '\(url.path)' is neither a .npy file nor a folder of .npy files")
    }
    guard inputs.count == 1 else {
      throw NeedletailError(
        .input,
        "the model has \(inputs.count) inputs; give a folder with "
          + inputs.map { "'\(fileName($0))'" }.joined(separator: ", "))
    }
    return [url.path]
  }

  private static func fileName(_ input: String) -> String {
    input.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "_") + ".npy"
  }

  private static func inFolder(_ url: URL, _ inputs: [String]) throws(NeedletailError) -> [String] {
    let entries = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
    let wanted = inputs.map(fileName)
    let known = inputs.map { "'\($0)'" }.joined(separator: ", ")
    let files = entries.filter { !$0.hasPrefix(".") }
    guard !files.isEmpty else {
      throw NeedletailError(.input, "the calibration set is empty: no .npy file in '\(url.path)'")
    }
    if let other = files.first(where: { !wanted.contains($0) }) {
      throw NeedletailError(
        .input, "'\(other)' in '\(url.path)' is named after no input; the model has \(known)")
    }
    if let missing = zip(inputs, wanted).first(where: { !files.contains($0.1) }) {
      throw NeedletailError(
        .input, "'\(url.path)' has no '\(missing.1)' for input '\(missing.0)'")
    }
    return wanted.map { url.appendingPathComponent($0).path }
  }
}
