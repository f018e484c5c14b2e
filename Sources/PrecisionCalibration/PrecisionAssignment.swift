package import TensorModel

/// The precision of every layer of a graph, and why it has it.
package struct PrecisionAssignment: Sendable {
  /// What was decided for one node.
  package struct Entry: Sendable, Hashable {
    package var node: String
    package var operation: String
    /// Nil for a node without floating-point arithmetic.
    package var precision: Precision?
    package var reason: Reason
  }

  /// Why a node has its precision.
  package enum Reason: Sendable, Hashable {
    /// The precision that was asked for.
    case requested
    /// The model's own type is another than the request is about, or the node has been decided already.
    case typeOfModel
    case integers
    /// Copies, gathers and the like hold what their operands hold.
    case movement
    /// Bodies of control flow have assignments of their own.
    case control
    case host
    /// The types are known only when the engine runs.
    case unknown
    /// Products of reduced precision are asked for, and the node has none.
    case noProducts
    /// Constants that do not fit: the largest magnitude among them.
    case constantsTooLarge(Double, DataType)
    case constantsTooSmall(Double, DataType)
    /// An operand or a result that may not fit.
    case range(DataType)
    /// A tensor that calibration has seen with this largest magnitude, which leaves no room.
    case measured(tensor: String, Double, DataType)
    /// An operand that is counted in integers.
    case counted(DataType)
    case steep
    /// The network's inputs are multiplied, in sums of so many products.
    case fewProducts(Int)
    case reduction
    case recurrence
    case runningTotal
    case ordering
    case accumulation
    /// Integers are multiplied by constant weights alone.
    case weightsNotConstant
    /// Sums of so many products leave 32 bits.
    case tooDeep(Int)
    case notCalibrated(String)
    /// A tensor whose numbers were all zero in calibration, or not all finite.
    case noRange(String)
    /// Seconds in the precision asked for, conversions included, and in the one it has.
    case slower(Double, than: Double)
    /// What the layer alone would add to the error of the outputs.
    case sensitive(Double)
  }

  package private(set) var requested: Precision
  /// Of what an INT8 network does not compute on integers: FP32, or FP16.
  package private(set) var rest: Precision
  /// The largest magnitudes that calibration has seen, by value name.
  let ranges: [String: Double]
  /// In the order of the graph's nodes.
  package private(set) var entries: [Entry]
  /// What a precision of 16 bits is decided by; nil for any other.
  let analysis: StorageAnalysis?
  /// What integers are decided by; nil for any other precision.
  let quantization: QuantizationAnalysis?
  /// How values are stored that are integers alone, by name.
  package private(set) var storage: [String: QuantizedStorage] = [:]

  /// How many nodes have each precision.
  package var counts: [(precision: Precision, count: Int)] {
    Precision.allCases.compactMap { precision in
      let count = entries.count { $0.precision == precision }
      return count == 0 ? nil : (precision, count)
    }
  }

  /// `53 in int8, 2 in fp32`.
  package var countSummary: String {
    counts.map { "\($0.count) in \($0.precision.rawValue)" }.joined(separator: ", ")
  }

  /// The nodes that calibration keeps from overflowing, in the graph's order.
  package var measuredOverflows: [Entry] {
    entries.filter { if case .measured = $0.reason { true } else { false } }
  }

  /// The first operator that calibration keeps from overflowing, and how many there are.
  package var overflowSummary: String? {
    let overflows = measuredOverflows
    guard let first = overflows.first else { return nil }
    let others = overflows.count == 1 ? "" : "; with it \(overflows.count - 1) more"
    return "'\(first.node)' (\(first.operation)) stays in fp32: \(first.reason)\(others)"
  }

  /// Sums of products that are not computed in the precision that was asked for, in the graph's order.
  package var exceptions: [Entry] {
    entries.filter { entry in
      guard entry.precision != nil, entry.precision != requested else { return false }
      if case .noProducts = entry.reason { return false }
      return true
    }
  }

  init(
    requested: Precision, rest: Precision = .fp32, ranges: [String: Double] = [:],
    entries: [Entry], analysis: StorageAnalysis? = nil,
    quantization: QuantizationAnalysis? = nil, storage: [String: QuantizedStorage] = [:]
  ) {
    self.requested = requested
    self.rest = rest
    self.ranges = ranges
    self.entries = entries
    self.analysis = analysis
    self.quantization = quantization
    self.storage = storage
  }
}

extension PrecisionAssignment: CustomStringConvertible {
  /// One line per node, then the counts.
  package var description: String {
    var lines = entries.map { entry in
      "'\(entry.node)' \(entry.operation): \(entry.precision?.rawValue ?? "-") (\(entry.reason))"
    }
    lines.append("\(entries.count) nodes: \(countSummary)")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension PrecisionAssignment.Reason: CustomStringConvertible {
  package var description: String {
    switch self {
    case .requested: "as requested"
    case .typeOfModel: "the type that it has already"
    case .integers: "no floating-point arithmetic"
    case .movement: "moves elements only"
    case .control: "decided inside its bodies"
    case .host: "runs on the host"
    case .unknown: "types known at run time only"
    case .noProducts: "no sums of products"
    case .fewProducts(let count):
      "sums of \(count) products of the network's inputs, where rounding shows most"
    case .constantsTooLarge(let magnitude, let type):
      "constants up to \(magnitude) exceed \(type), which ends at \(Self.largest(type))"
    case .constantsTooSmall(let magnitude, let type):
      "constants of at most \(magnitude) lose digits in \(type), whose full precision begins at "
        + "\(SixteenBits(type)?.smallestNormal ?? 0)"
    case .range(let type):
      "numbers may exceed \(type), which ends at \(Self.largest(type))"
    case .measured(let tensor, let magnitude, let type):
      "'\(tensor)' reached \(magnitude) in calibration; with a factor of "
        + "\(Int(StorageAnalysis.safetyFactor)) for safety that exceeds \(type), which ends at "
        + "\(Self.largest(type))"
    case .counted(let type): "integers and their multiples need more digits than \(type) has"
    case .steep: "exponentials, logarithms, powers and decisions show the rounding of operands"
    case .reduction: "sums are kept in single precision"
    case .recurrence: "rounding adds up from step to step"
    case .runningTotal: "running totals grow"
    case .ordering: "rounding would make different elements equal"
    case .accumulation: "sums of scattered elements are kept in single precision"
    case .weightsNotConstant: "its weights are not constant"
    case .tooDeep(let depth): "sums of \(depth) products of bytes may leave 32 bits"
    case .notCalibrated(let tensor): "calibration has not seen '\(tensor)'"
    case .noRange(let tensor): "'\(tensor)' was zero or not finite in calibration"
    case .slower(let seconds, let other):
      "slower: \(Self.microseconds(seconds)) us with its conversions, "
        + "\(Self.microseconds(other)) us in floating point"
    case .sensitive(let error): "it alone adds \(Self.short(error)) to the error"
    }
  }

  private static func microseconds(_ seconds: Double) -> Double { (seconds * 1e7).rounded() / 10 }

  /// Three digits.
  private static func short(_ number: Double) -> Double {
    guard number > 0, number.isFinite else { return number }
    var scale = 1e12
    while scale > 1, number * scale >= 1000 { scale /= 10 }
    return (number * scale).rounded() / scale
  }

  private static func largest(_ type: DataType) -> Double { SixteenBits(type)?.largest ?? 0 }
}
