import ProgramModel
import TensorModel

/// Text and facts that direct kernels share.
enum DirectText {
  /// Statements that split a number into coordinates, given outermost first.
  static func split(_ number: String, into parts: [(name: String, extent: Int)]) -> [String] {
    let rest = "rest_\(parts.last?.name ?? "")"
    var lines: [String] = []
    let used = parts.indices.filter { parts[$0].extent != 1 }
    if used.count > 1 { lines.append("int \(rest) = \(number);") }
    for index in parts.indices.reversed() {
      let (name, extent) = parts[index]
      if extent == 1 {
        lines.append("const int \(name) = 0;")
      } else if used.count == 1 {
        lines.append("const int \(name) = \(number);")
      } else if index == used.first {
        lines.append("const int \(name) = \(rest);")
      } else {
        lines.append("const int \(name) = \(rest) % \(extent); \(rest) /= \(extent);")
      }
    }
    return lines
  }

  /// The offset of a view's element.
  static func offset(_ view: View, _ coordinates: [String], plus constant: Int = 0) -> String {
    IndexText.sum(
      view.shape.indices.map { (coordinates[$0], view.shape[$0] == 1 ? 0 : view.strides[$0]) },
      plus: constant)
  }

  /// Whether `width` neighbours along an axis, from any multiple of `width` on, lie together and aligned.
  static func isVector(_ view: View, _ width: Int, along axis: Int) -> Bool {
    guard width > 1 else { return true }
    return view.strides[axis] == 1 && view.shape[axis] % width == 0
      && view.byteOffset % (width * view.dataType.byteCount) == 0
      && view.shape.indices.allSatisfy {
        $0 == axis || view.shape[$0] == 1 || view.strides[$0] % width == 0
      }
  }

  /// Threads of a grid of that many blocks, with `i` as the thread's number and those beyond gone.
  static func linear(_ count: Int, threads: Int) -> [String] {
    [
      "const int i = blockIdx.x * \(threads) + threadIdx.x;",
      "if (i >= \(count)) return;",
    ]
  }

  static func storage(_ type: DataType) -> String { type.cudaStorage ?? "float" }
  static func arithmetic(_ type: DataType) -> String { type.cudaArithmetic ?? "float" }
}

/// The type in which sums of products are kept; integers wrap.
struct Accumulator {
  /// As C++ text.
  let name: String
  /// What `value(_:)` is.
  let type: DataType

  init(_ type: DataType) {
    switch type {
    case .float32, .float16, .bfloat16: (name, self.type) = ("float", .float32)
    case .float64: (name, self.type) = ("double", .float64)
    default:
      (name, self.type) = type.byteCount == 8 ? ("uint64_t", .int64) : ("uint32_t", .int32)
    }
  }

  /// The text of a sum in the type `type`.
  func value(_ sum: String) -> OperandText {
    type.isFloatingPoint
      ? OperandText(sum, type) : OperandText("((\(DirectText.arithmetic(type)))\(sum))", type)
  }

  var byteCount: Int { type.byteCount }
}
