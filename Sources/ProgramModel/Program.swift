package import KernelModel
package import TensorModel

/// Memory that steps read and write.
package struct Buffer: Sendable {
  package enum Role: Sendable {
    /// Lives in the arena for as long as steps need it.
    case activation
    /// Known when the program is made.
    case constant(Tensor)
    /// Given by the caller, read only.
    case input(Int)
    /// Given to the caller.
    case output(Int)
  }

  package var role: Role
  package var byteCount: Int

  package init(role: Role, byteCount: Int) {
    self.role = role
    self.byteCount = byteCount
  }

  package var isActivation: Bool {
    if case .activation = role { true } else { false }
  }
}

/// One kernel problem on concrete memory.
package struct Step: Sendable {
  package var name: String
  package var problem: KernelProblem
  package var inputs: [View?]
  package var outputs: [View]
  /// The model's nodes that the step computes.
  package var origins: [String]
  package var arithmetic = Arithmetic.exact

  package init(
    name: String, problem: KernelProblem, inputs: [View?], outputs: [View], origins: [String]
  ) {
    self.name = name
    self.problem = problem
    self.inputs = inputs
    self.outputs = outputs
    self.origins = origins
  }

  package var inputTypes: [TensorType?] { inputs.map { $0?.type } }
}

/// What a device runs: steps in order, over buffers, for one set of shapes.
///
/// An epilogue operand or an operand of a pointwise step may lie in the very place of the output: every
/// kernel reads such an element before it writes it.
package struct Program: Sendable {
  package var name: String
  package var buffers: [Buffer] = []
  package var steps: [Step] = []
  /// The callers' tensors, dense and row-major.
  package var inputs: [View] = []
  package var outputs: [View] = []

  package init(name: String) { self.name = name }

  package subscript(buffer: BufferID) -> Buffer {
    get { buffers[buffer.index] }
    set { buffers[buffer.index] = newValue }
  }

  package mutating func addBuffer(_ role: Buffer.Role, byteCount: Int) -> BufferID {
    buffers.append(Buffer(role: role, byteCount: byteCount))
    return BufferID(buffers.count - 1)
  }

  package func constant(_ view: View?) -> Tensor? {
    guard let view, case .constant(let tensor) = self[view.buffer].role else { return nil }
    return tensor
  }

  /// Bytes of constants that steps read.
  package var constantBytes: Int {
    buffers.reduce(0) { sum, buffer in
      if case .constant = buffer.role { sum + buffer.byteCount } else { sum }
    }
  }
}

/// For each step the steps that must have finished before it begins.
package struct Dependencies: Sendable {
  package private(set) var predecessors: [[Int]]

  /// Derives the dependencies from what steps read and write, buffer by buffer.
  package init(_ program: Program) {
    predecessors = Array(repeating: [], count: program.steps.count)
    var writers: [BufferID: [Int]] = [:]
    var readers: [BufferID: [Int]] = [:]
    for (index, step) in program.steps.enumerated() {
      var before: Set<Int> = []
      for case let view? in step.inputs { before.formUnion(writers[view.buffer] ?? []) }
      for view in step.outputs {
        // Steps that fill different parts of one buffer (a concatenation) do not wait for each other.
        for other in writers[view.buffer] ?? [] where Self.overlap(program.steps[other], view) {
          before.insert(other)
        }
        before.formUnion(readers[view.buffer] ?? [])
      }
      before.remove(index)
      predecessors[index] = before.sorted()
      for case let view? in step.inputs { readers[view.buffer, default: []].append(index) }
      for view in step.outputs { writers[view.buffer, default: []].append(index) }
    }
  }

  private static func overlap(_ step: Step, _ view: View) -> Bool {
    step.outputs.contains { $0.buffer == view.buffer && !areDisjoint($0, view) }
  }

  /// Whether two views of one buffer are told apart by one axis of equal stride: as the parts of a
  /// concatenation are.
  private static func areDisjoint(_ a: View, _ b: View) -> Bool {
    guard a.rank == b.rank, a.strides == b.strides else { return false }
    let distance = b.offset - a.offset
    let (first, second) = distance >= 0 ? (a, b) : (b, a)
    let gap = abs(distance)
    return a.strides.indices.contains { axis in
      let stride = a.strides[axis]
      guard stride > 0, gap % stride == 0, gap / stride >= first.shape[axis] else { return false }
      let outer = a.strides.indices.filter {
        a.strides[$0] > stride && max(a.shape[$0], b.shape[$0]) > 1
      }
      .map { a.strides[$0] }.min()
      return outer.map { gap + second.shape[axis] * stride <= $0 } ?? true
    }
  }
}
