import GraphModel
import KernelModel
import TensorModel

import struct Foundation.Data

/// A graph as the manifest spells it. Constants are places in the manifest's table.
struct GraphRecord: Codable {
  var name: String
  var values: [ValueRecord]
  var nodes: [NodeRecord]
  var inputs: [Int]
  var outputs: [OutputRecord]

  struct OutputRecord: Codable {
    var name: String
    var value: Int
  }
}

struct ValueRecord: Codable {
  var name: String
  var type: TensorType?
  var constant: Int?
  var symbolic: [Dimension]?
}

struct NodeRecord: Codable {
  var name: String
  var inputs: [Int?]
  var outputs: [Int]
  var origins: [String]
  /// Nil for exact arithmetic.
  var arithmetic: Arithmetic?
  var kernel: KernelProblem?
  var pending: OperatorRecordRecord?
  var host: OperatorRecordRecord?
  var control: ControlRecord?
}

struct ControlRecord: Codable {
  var kind: String
  var bodies: [GraphRecord]
  var carried: Int?
  var scanning: Control.Scanning?
}

struct OperatorRecordRecord: Codable {
  var domain: String
  var name: String
  var version: Int
  var captures: Int
  var attributes: [String: AttributeRecord]
}

/// One attribute; exactly one field is present. Floats are bit patterns, since JSON has no NaN.
struct AttributeRecord: Codable {
  var int: Int64?
  var float: UInt32?
  var string: String?
  var tensor: Int?
  var graph: [GraphRecord]?
  var ints: [Int64]?
  var floats: [UInt32]?
  var strings: [String]?
  var type: DataType?
}

/// A constant: a place in the weights section, or its strings.
struct ConstantRecord: Codable {
  var dataType: DataType
  var shape: [Int]
  var offset: Int
  var strings: [String]?
}

// MARK: - Writing

/// Turns graphs into records and collects their constants.
final class GraphRecordWriter {
  private(set) var constants: [ConstantRecord] = []
  private(set) var weights = Data()
  private var known: [Place: Int] = [:]
  /// Constants by a hash of their elements, where signatures are to share what is equal.
  private var similar: [UInt64: [Int]] = [:]
  private let comparesElements: Bool

  /// - Parameter comparesElements: whether tensors with equal elements are written once, wherever they lie.
  init(comparesElements: Bool = false) { self.comparesElements = comparesElements }

  /// Tensors over the same bytes are written once.
  private struct Place: Hashable {
    var address: UnsafeMutableRawPointer
    var dataType: DataType
    var shape: [Int]
  }

  func record(_ graph: Graph) -> GraphRecord {
    let compact = graph.compacted()
    return GraphRecord(
      name: compact.name, values: compact.values.map(record),
      nodes: compact.liveNodes.map { record($0.node) },
      inputs: compact.inputs.map(\.index),
      outputs: compact.outputs.map {
        GraphRecord.OutputRecord(name: $0.name, value: $0.value.index)
      })
  }

  private func record(_ value: Value) -> ValueRecord {
    ValueRecord(
      name: value.name, type: value.constant == nil ? value.type : nil,
      constant: value.constant.map(index), symbolic: value.symbolic)
  }

  private func record(_ node: Node) -> NodeRecord {
    var record = NodeRecord(
      name: node.name, inputs: node.inputs.map { $0?.index }, outputs: node.outputs.map(\.index),
      origins: node.origins, arithmetic: node.arithmetic == .exact ? nil : node.arithmetic)
    switch node.operation {
    case .kernel(let problem): record.kernel = problem
    case .pending(let operation): record.pending = self.record(operation)
    case .host(let operation): record.host = self.record(operation)
    case .control(let control): record.control = self.record(control)
    }
    return record
  }

  private func record(_ control: Control) -> ControlRecord {
    let bodies = control.bodies.map { record($0) }
    switch control {
    case .branch: return ControlRecord(kind: "branch", bodies: bodies)
    case .loop(_, let carried): return ControlRecord(kind: "loop", bodies: bodies, carried: carried)
    case .scan(_, let scanning):
      return ControlRecord(kind: "scan", bodies: bodies, scanning: scanning)
    }
  }

  private func record(_ operation: OperatorRecord) -> OperatorRecordRecord {
    OperatorRecordRecord(
      domain: operation.domain, name: operation.name, version: operation.version,
      captures: operation.captureCount, attributes: operation.attributes.mapValues(record))
  }

  private func record(_ attribute: AttributeValue) -> AttributeRecord {
    switch attribute {
    case .int(let value): AttributeRecord(int: value)
    case .float(let value): AttributeRecord(float: value.bitPattern)
    case .string(let value): AttributeRecord(string: value)
    case .tensor(let value): AttributeRecord(tensor: index(value))
    case .graph(let value): AttributeRecord(graph: [record(value)])
    case .ints(let value): AttributeRecord(ints: value)
    case .floats(let value): AttributeRecord(floats: value.map(\.bitPattern))
    case .strings(let value): AttributeRecord(strings: value)
    case .type(let value): AttributeRecord(type: value)
    }
  }

  private func index(_ tensor: Tensor) -> Int {
    let place = Place(address: tensor.address, dataType: tensor.dataType, shape: tensor.shape)
    if tensor.dataType != .string, tensor.byteCount > 0, let index = known[place] { return index }
    let hash = comparesElements && tensor.dataType != .string ? Self.hash(tensor) : nil
    if let hash, let index = similar[hash]?.first(where: { isWritten(tensor, $0) }) {
      known[place] = index
      return index
    }
    let padding =
      (TensorStorage.alignment - weights.count % TensorStorage.alignment) % TensorStorage.alignment
    weights.append(Data(count: padding))
    constants.append(
      ConstantRecord(
        dataType: tensor.dataType, shape: tensor.shape, offset: weights.count,
        strings: tensor.dataType == .string ? tensor.strings : nil))
    tensor.withUnsafeBytes { weights.append(contentsOf: $0) }
    known[place] = constants.count - 1
    if let hash { similar[hash, default: []].append(constants.count - 1) }
    return constants.count - 1
  }

  /// FNV-1a over words.
  private static func hash(_ tensor: Tensor) -> UInt64 {
    tensor.withUnsafeBytes { bytes in
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      let whole = bytes.count / 8 * 8
      for offset in stride(from: 0, to: whole, by: 8) {
        hash =
          (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01b3
      }
      for offset in whole..<bytes.count { hash = (hash ^ UInt64(bytes[offset])) &* 0x100_0000_01b3 }
      return hash
    }
  }

  private func isWritten(_ tensor: Tensor, _ index: Int) -> Bool {
    let record = constants[index]
    guard record.dataType == tensor.dataType, record.shape == tensor.shape else { return false }
    return tensor.withUnsafeBytes { bytes in
      weights[record.offset..<(record.offset + bytes.count)].elementsEqual(bytes)
    }
  }
}
