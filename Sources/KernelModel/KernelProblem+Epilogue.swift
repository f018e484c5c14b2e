import TensorModel

extension KernelProblem {
  /// A word for tables and messages.
  package var family: String {
    switch self {
    case .pointwise: "pointwise"
    case .reduction: "reduction"
    case .convolution: "convolution"
    case .matmul: "matmul"
    case .window: "window"
    case .normalization: "normalization"
    case .attention: "attention"
    case .recurrence: "recurrence"
    case .gather: "gather"
    case .scatter: "scatter"
    case .copy: "copy"
    case .resample: "resample"
    case .sort: "sort"
    case .scan: "scan"
    }
  }

  /// Whether the problem is made of sums of products: what tensor cores compute.
  package var isContraction: Bool {
    switch self {
    case .convolution, .matmul, .attention: true
    default: false
    }
  }

  /// How many inputs come before those of the epilogue; nil where there is no epilogue and all inputs
  /// are the problem's own.
  package var ownOperandCount: Int? {
    switch self {
    case .reduction, .window, .resample: 1
    case .convolution, .matmul: 2
    case .normalization: 3
    case .attention: 4
    case .pointwise, .recurrence, .gather, .scatter, .copy, .sort, .scan: nil
    }
  }

  /// The epilogue, where the problem can have one.
  package var epilogue: ScalarExpression? {
    get {
      switch self {
      case .reduction(let p): p.epilogue
      case .convolution(let p): p.epilogue
      case .matmul(let p): p.epilogue
      case .window(let p): p.epilogue
      case .normalization(let p): p.epilogue
      case .attention(let p): p.epilogue
      case .resample(let p): p.epilogue
      case .pointwise, .recurrence, .gather, .scatter, .copy, .sort, .scan: nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .reduction(var p):
        p.epilogue = newValue
        self = .reduction(p)
      case .convolution(var p):
        p.epilogue = newValue
        self = .convolution(p)
      case .matmul(var p):
        p.epilogue = newValue
        self = .matmul(p)
      case .window(var p):
        p.epilogue = newValue
        self = .window(p)
      case .normalization(var p):
        p.epilogue = newValue
        self = .normalization(p)
      case .attention(var p):
        p.epilogue = newValue
        self = .attention(p)
      case .resample(var p):
        p.epilogue = newValue
        self = .resample(p)
      case .pointwise, .recurrence, .gather, .scatter, .copy, .sort, .scan: break
      }
    }
  }

  /// The problem with symbols replaced by integers.
  package func substituting(_ values: [String: Int]) -> KernelProblem {
    func all(_ dimensions: [Dimension]) -> [Dimension] {
      dimensions.map { $0.substituting(values) }
    }
    switch self {
    case .pointwise(var p):
      p.shape = p.shape?.substituting(values)
      return .pointwise(p)
    case .convolution(var p):
      p.padsBefore = all(p.padsBefore)
      p.padsAfter = all(p.padsAfter)
      return .convolution(p)
    case .window(var p):
      p.padsBefore = all(p.padsBefore)
      p.padsAfter = all(p.padsAfter)
      return .window(p)
    case .normalization(var p):
      if case .group(let groups, let epsilon) = p.kind {
        p.kind = .group(groups: groups.substituting(values), epsilon: epsilon)
      }
      return .normalization(p)
    case .copy(.reshape(let shape)): return .copy(.reshape(shape.substituting(values)))
    case .copy(.expand(let shape)): return .copy(.expand(shape.substituting(values)))
    case .copy(.slice(let starts, let sizes, let steps)):
      return .copy(.slice(starts: all(starts), sizes: all(sizes), steps: steps))
    case .copy(.pad(let mode, let before, let after)):
      return .copy(.pad(mode, before: all(before), after: all(after)))
    case .copy(.tile(let repeats)): return .copy(.tile(all(repeats)))
    case .resample(var p):
      p.shape = p.shape.substituting(values)
      return .resample(p)
    case .sort(var p):
      p.count = p.count.substituting(values)
      return .sort(p)
    case .reduction, .matmul, .attention, .recurrence, .gather, .scatter, .scan,
      .copy(.transpose), .copy(.concatenate):
      return self
    }
  }
}
