package import KernelModel
package import ProgramModel
import ReferenceInterpreter
package import TensorModel

/// A kernel problem with tensors, and how they are to lie in memory.
package struct StepCase: Sendable {
  package var problem: KernelProblem
  package var inputs: [Tensor?]
  /// For each input the order of its axes, outermost first; nil: row-major.
  package var orders: [[Int]?]
  package var outputOrder: [Int]?
  /// Inputs that are known when the program is made.
  package var constants: Set<Int> = []
  /// The input whose place the output takes.
  package var inPlace: Int?
  /// Unused elements at the end of the inner axes, and thrice as many before the first.
  package var gap = 0
  package var arithmetic = Arithmetic.exact
  /// Bound on the error of each element, relative to `max(|wanted|, scale)`; nil for the type's own.
  package var tolerance: Double?
  /// Bound on the error of an element of 8 bits, which few elements may have.
  package var wholeTolerance = 0

  package init(_ problem: KernelProblem, _ inputs: [Tensor?] = []) {
    self.problem = problem
    self.inputs = inputs
    orders = inputs.map { _ in nil }
  }
}

/// A case as a program of one step, with memory of its own in which every unused byte is poison.
package struct PlacedCase {
  package private(set) var program: Program
  package private(set) var memory: [TensorStorage] = []
  package let expected: [Tensor]
  private let tolerance: Double?
  private let wholeTolerance: Int
  private let arithmetic: Arithmetic

  /// Computes what is expected with the reference interpreter.
  package init(_ stepCase: StepCase) throws {
    expected = try Interpreter.evaluate(stepCase.problem, stepCase.inputs)
    tolerance = stepCase.tolerance
    wholeTolerance = stepCase.wholeTolerance
    arithmetic = stepCase.arithmetic
    program = Program(name: "case")
    var views: [View?] = []
    for (index, tensor) in stepCase.inputs.enumerated() {
      guard let tensor else {
        views.append(nil)
        continue
      }
      let isConstant = stepCase.constants.contains(index)
      let view = try place(
        tensor.dataType, tensor.shape, order: isConstant ? nil : stepCase.orders[index],
        gap: isConstant ? 0 : stepCase.gap, constant: isConstant ? tensor : nil)
      write(tensor, to: view)
      views.append(view)
    }
    var outputs: [View] = []
    for tensor in expected {
      if outputs.isEmpty, let input = stepCase.inPlace, var view = views[input],
        view.shape == tensor.shape, view.dataType.byteCount == tensor.dataType.byteCount
      {
        view.dataType = tensor.dataType
        outputs.append(view)
        continue
      }
      let order = outputs.isEmpty ? stepCase.outputOrder : nil
      outputs.append(
        try place(
          tensor.dataType, tensor.shape, order: order?.count == tensor.shape.count ? order : nil,
          gap: stepCase.gap, constant: nil))
    }
    var step = Step(
      name: "case", problem: stepCase.problem, inputs: views, outputs: outputs, origins: [])
    step.arithmetic = stepCase.arithmetic
    program.steps = [step]
  }

  package var step: Step { program.steps[0] }

  private mutating func place(
    _ type: DataType, _ shape: [Int], order: [Int]?, gap: Int, constant: Tensor?
  ) throws -> View {
    var strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for (position, axis) in (order ?? Array(shape.indices)).reversed().enumerated() {
      strides[axis] = stride
      stride *= max(shape[axis], 1) + (position < 2 ? gap : 0)
    }
    let bytes =
      constant?.byteCount ?? (stride + 3 * gap + 8) * type.byteCount
    guard let storage = TensorStorage(byteCount: bytes) else {
      throw SelfTestError("no memory for a case of \(bytes) bytes")
    }
    storage.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
    memory.append(storage)
    let role: Buffer.Role = constant.map { .constant($0) } ?? .activation
    let buffer = program.addBuffer(role, byteCount: bytes)
    return View(
      buffer: buffer, offset: constant == nil ? 3 * gap : 0, dataType: type, shape: shape,
      strides: strides)
  }

  private func write(_ tensor: Tensor, to view: View) {
    let size = view.dataType.byteCount
    let base = memory[view.buffer.index].base
    Self.forEach(view) { index, offset in
      (base + offset * size).copyMemory(from: tensor.address + index * size, byteCount: size)
    }
  }

  private func bytes(_ view: View) -> [UInt8] {
    let storage = memory[view.buffer.index]
    return [UInt8](UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount))
  }

  /// Calls `body` with each element's row-major index and its offset in the buffer.
  private static func forEach(_ view: View, _ body: (_ index: Int, _ offset: Int) -> Void) {
    for index in 0..<view.elementCount {
      var rest = index
      var offset = view.offset
      for axis in view.shape.indices.reversed() {
        offset += rest % view.shape[axis] * view.strides[axis]
        rest /= view.shape[axis]
      }
      body(index, offset)
    }
  }

  /// Restores poison and inputs, runs, and compares.
  ///
  /// - Returns: what is wrong, if anything.
  package func check(_ run: () throws -> Void) throws -> String? {
    let before = memory.map {
      [UInt8](UnsafeRawBufferPointer(start: $0.base, count: $0.byteCount))
    }
    defer {
      for (storage, bytes) in zip(memory, before) {
        bytes.withUnsafeBytes {
          if let source = $0.baseAddress {
            storage.base.copyMemory(from: source, byteCount: bytes.count)
          }
        }
      }
    }
    try run()
    for (view, tensor) in zip(step.outputs, expected) {
      let message = compare(bytes(view), before[view.buffer.index], view, tensor)
      if let message { return message }
    }
    return nil
  }

  private func bound(_ type: DataType) -> Double {
    if let tolerance { return tolerance }
    return switch type {
    case .float16: 2e-3
    case .bfloat16: 1.6e-2
    case .float64: 1e-9
    default: arithmetic == .exact ? 1e-5 : 2e-3
    }
  }

  private func compare(
    _ bytes: [UInt8], _ before: [UInt8], _ view: View, _ expected: Tensor
  ) -> String? {
    var untouched = before
    var message: String?
    var inexact = 0
    let size = view.dataType.byteCount
    let wantedNumbers = view.dataType.isFloatingPoint ? expected.numbers() : nil
    var scale = 1.0
    if let numbers = wantedNumbers?.filter(\.isFinite), !numbers.isEmpty {
      scale = (numbers.reduce(0) { $0 + $1 * $1 } / Double(numbers.count)).squareRoot()
    }
    Self.forEach(view) { index, offset in
      let place = offset * size
      for byte in place..<place + size { untouched[byte] = bytes[byte] }
      if message != nil { return }
      if let wanted = wantedNumbers?[index] {
        let found = bytes.withUnsafeBytes { Self.number($0.baseAddress, place, view.dataType) }
        let limit = bound(view.dataType) * max(abs(wanted), scale)
        let isEqual =
          found.isNaN ? wanted.isNaN : found == wanted || abs(found - wanted) <= limit
        if !isEqual { message = "element \(index) is \(found), not \(wanted)" }
      } else {
        let wanted = UnsafeRawBufferPointer(start: expected.address + index * size, count: size)
        if bytes[place..<place + size].elementsEqual(wanted) { return }
        inexact += 1
        let isNear = isNear(bytes[place], wanted[0], view.dataType)
        if !isNear || inexact > 2 + expected.elementCount / 50 {
          message = "element \(index) differs"
        }
      }
    }
    if message == nil, untouched != bytes { message = "an element beside the output was written" }
    return message
  }

  private func isNear(_ found: UInt8, _ wanted: UInt8, _ type: DataType) -> Bool {
    switch type {
    case .uint8: abs(Int(found) - Int(wanted)) <= wholeTolerance
    case .int8: abs(Int(Int8(bitPattern: found)) - Int(Int8(bitPattern: wanted))) <= wholeTolerance
    default: false
    }
  }

  private static func number(_ base: UnsafeRawPointer?, _ offset: Int, _ type: DataType) -> Double {
    guard let base else { return 0 }
    switch type {
    case .float32: return Double(base.loadUnaligned(fromByteOffset: offset, as: Float.self))
    case .float64: return base.loadUnaligned(fromByteOffset: offset, as: Double.self)
    case .float16, .bfloat16:
      return SmallFloat.decode(base.loadUnaligned(fromByteOffset: offset, as: UInt16.self), type)
    default:
      return SmallFloat.decode(
        UInt16(base.loadUnaligned(fromByteOffset: offset, as: UInt8.self)), type)
    }
  }
}

/// Why a self-test cannot go on.
package struct SelfTestError: Error, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}
