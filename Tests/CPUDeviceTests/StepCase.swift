import CPUDevice
import CPUKernelInterface
import KernelModel
import ProgramModel
import ReferenceInterpreter
import TensorModel
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Numbers that depend on a seed only.
struct RandomSource {
  private var state: UInt64

  init(seed: Int) {
    state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    for _ in 0..<4 { _ = next() }
  }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33 ^ state >> 11
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
  mutating func float(_ scale: Float = 1) -> Float {
    (Float(next() & 0xFF_FFFF) / Float(0x80_0000) - 1) * scale
  }
  mutating func order(_ rank: Int) -> [Int] {
    var result = Array(0..<rank)
    for index in result.indices.reversed() { result.swapAt(index, below(index + 1)) }
    return result
  }
}

/// A kernel problem with tensors, and how they are to lie in memory.
struct StepCase {
  var problem: KernelProblem
  var inputs: [Tensor?]
  /// For each input the order of its axes, outermost first; nil: row-major.
  var orders: [[Int]?]
  var outputOrder: [Int]?
  var constants: Set<Int> = []
  /// The input whose place the output takes.
  var inPlace: Int?
  /// Unused elements at the end of the inner axes.
  var gap = 0
  var tolerance: Float = 1e-5

  init(_ problem: KernelProblem, _ inputs: [Tensor?] = []) {
    self.problem = problem
    self.inputs = inputs
    orders = inputs.map { _ in nil }
  }
}

/// A step in memory of its own, ready to run with any tactic.
struct StepBench {
  private(set) var memory: [TensorStorage] = []
  private(set) var step: Step
  private(set) var constants: [Tensor?]

  /// - Parameter expected: the outputs, whose places are poisoned.
  init(_ stepCase: StepCase, expected: [Tensor]) throws {
    var views: [View?] = []
    constants = stepCase.inputs.map { _ in nil }
    step = Step(name: "case", problem: stepCase.problem, inputs: [], outputs: [], origins: [])
    for (index, tensor) in stepCase.inputs.enumerated() {
      guard let tensor else {
        views.append(nil)
        continue
      }
      let isConstant = stepCase.constants.contains(index)
      let view = try place(
        tensor.dataType, tensor.shape, isConstant ? nil : stepCase.orders[index],
        gap: isConstant ? 0 : stepCase.gap)
      write(tensor, to: view)
      views.append(view)
      if isConstant { constants[index] = tensor }
    }
    var outputs: [View] = []
    for tensor in expected {
      if outputs.isEmpty, let input = stepCase.inPlace, var view = views[input],
        view.shape == tensor.shape, view.dataType.byteCount == tensor.dataType.byteCount
      {
        view.dataType = tensor.dataType
        outputs.append(view)
      } else {
        let order = outputs.isEmpty ? stepCase.outputOrder : nil
        outputs.append(
          try place(
            tensor.dataType, tensor.shape, order?.count == tensor.shape.count ? order : nil,
            gap: stepCase.gap))
      }
    }
    step.inputs = views
    step.outputs = outputs
  }

  private mutating func place(
    _ type: DataType, _ shape: [Int], _ order: [Int]?, gap: Int
  ) throws -> View {
    var strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for (position, axis) in (order ?? Array(shape.indices)).reversed().enumerated() {
      strides[axis] = stride
      stride *= max(shape[axis], 1) + (position < 2 ? gap : 0)
    }
    let bytes = (stride + 3 * gap + 8) * type.byteCount
    let storage = try #require(TensorStorage(byteCount: bytes))
    storage.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
    memory.append(storage)
    return View(
      buffer: BufferID(memory.count - 1), offset: 3 * gap, dataType: type, shape: shape,
      strides: strides)
  }

  private func write(_ tensor: Tensor, to view: View) {
    let size = view.dataType.byteCount
    let base = memory[view.buffer.index].base
    Self.forEach(view) { index, offset in
      (base + offset * size).copyMemory(from: tensor.address + index * size, byteCount: size)
    }
  }

  func bytes(_ view: View) -> [UInt8] {
    let storage = memory[view.buffer.index]
    return [UInt8](UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount))
  }

  /// Calls `body` with each element's row-major index and its offset in the buffer.
  static func forEach(_ view: View, _ body: (_ index: Int, _ offset: Int) -> Void) {
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

  /// Runs every task of every phase, in parts and orders that depend on the seed, in poisoned scratch.
  func run(_ kernel: PreparedKernel, seed: Int) throws {
    var random = RandomSource(seed: seed)
    let workspace = try #require(TensorStorage(byteCount: kernel.workspaceBytes))
    let guardBytes = 64
    let scratch = try #require(TensorStorage(byteCount: kernel.scratchBytes + guardBytes))
    for phase in kernel.phases {
      var pointers: [UnsafeMutableRawPointer] = []
      for operand in phase.operands {
        switch operand {
        case .input(let index):
          if let view = step.inputs[index] { pointers.append(address(view)) }
        case .output(let index): pointers.append(address(step.outputs[index]))
        case .workspace(let offset): pointers.append(workspace.base + offset)
        case .constant(let storage, let offset): pointers.append(storage.base + offset)
        }
      }
      for part in Self.parts(phase.taskCount, &random) {
        scratch.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: scratch.byteCount)
        pointers.withUnsafeBufferPointer {
          guard let base = $0.baseAddress else { return }
          phase.function(
            phase.parameters.address, base, part.lowerBound, part.upperBound, scratch.base)
        }
        let rest = UnsafeRawBufferPointer(
          start: scratch.base + kernel.scratchBytes, count: guardBytes)
        #expect(rest.allSatisfy { $0 == 0xFF }, "wrote beyond the scratch")
      }
    }
  }

  private func address(_ view: View) -> UnsafeMutableRawPointer {
    memory[view.buffer.index].base + view.byteOffset
  }

  private static func parts(_ count: Int, _ random: inout RandomSource) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var first = 0
    while first < count {
      let end = min(first + 1 + random.below(3), count)
      parts.append(first..<end)
      first = end
    }
    return random.order(parts.count).map { parts[$0] }
  }
}

extension StepCase {
  /// Compares every instruction set's first tactic with the reference interpreter.
  ///
  /// - Returns: how many instruction sets have a tactic of their own.
  @discardableResult
  func check(seed: Int, threads: Int = 2) throws -> Int {
    let expected = try Interpreter.evaluate(problem, inputs)
    var count = 0
    for table in try Self.tables() {
      let bench = try StepBench(self, expected: expected)
      let request = TacticRequest(
        step: bench.step, constants: bench.constants, threads: threads, kernels: table)
      let tactic = try #require(TacticCatalog.tactics(for: request).first)
      if tactic.name == "reference" { continue }
      count += 1
      #expect(tactic.estimate(request) >= 0)
      let kernel = try tactic.prepare(request)
      let before = bench.step.outputs.map { bench.bytes($0) }
      try bench.run(kernel, seed: seed)
      for (index, view) in bench.step.outputs.enumerated() {
        let difference = compare(
          bench.bytes(view), before[index], view, expected[index], tolerance: tolerance)
        #expect(
          difference == nil,
          "seed \(seed), \(table.instructionSet), \(tactic.name), \(problem): \(difference ?? "")")
      }
    }
    return count
  }

  static func tables() throws -> [CPUKernelTable] {
    try Processor.current.instructionSets.map {
      try CPU(threads: 1, instructionSet: $0).kernels
    }
  }

  /// What is wrong with an output, if anything.
  private func compare(
    _ bytes: [UInt8], _ before: [UInt8], _ view: View, _ expected: Tensor, tolerance: Float
  ) -> String? {
    var untouched = before
    var message: String?
    let size = view.dataType.byteCount
    StepBench.forEach(view) { index, offset in
      let place = offset * size
      for byte in place..<place + size { untouched[byte] = bytes[byte] }
      if message != nil { return }
      let source = expected.address + index * size
      let isEqual: Bool
      if view.dataType.isFloatingPoint, size == 4 || size == 2 {
        let found = bytes.withUnsafeBytes { Self.number($0.baseAddress, place, view.dataType) }
        let wanted = Self.number(UnsafeRawPointer(source), 0, view.dataType)
        let bound = (size == 4 ? tolerance : 1e-2) * max(abs(wanted), 1)
        isEqual =
          found.isNaN ? wanted.isNaN : found == wanted || abs(found - wanted) <= bound
        if !isEqual { message = "element \(index) is \(found), not \(wanted)" }
      } else {
        let wanted = UnsafeRawBufferPointer(start: source, count: size)
        isEqual = bytes[place..<place + size].elementsEqual(wanted)
        if !isEqual { message = "element \(index) differs" }
      }
    }
    if message == nil, untouched != bytes { message = "an element beside the output was written" }
    return message
  }

  private static func number(_ base: UnsafeRawPointer?, _ offset: Int, _ type: DataType) -> Float {
    guard let base else { return 0 }
    if type == .float32 { return base.loadUnaligned(fromByteOffset: offset, as: Float.self) }
    let bits = base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    return Float(SmallFloat.decode(bits, type))
  }
}
