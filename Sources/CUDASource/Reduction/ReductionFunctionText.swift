import KernelModel
import TensorModel

/// A reduction's function as C++: what is kept while elements come in, in any order and in parts.
///
/// The text defines `State`, `initial()`, `add(state, value, index)`, `merge(state, other)` and
/// `exchanged(state, mask)`, the state of another lane.
struct ReductionFunctionText: Hashable, Sendable {
  let function: Reduction.Function
  /// Of the elements, after the prologue.
  let type: DataType
  let groupSize: Int

  private var isReal: Bool { type.isFloatingPoint }
  /// What numbers are held in.
  private var number: String {
    if isReal { return type == .float64 ? "double" : "float" }
    return type == .uint64 ? "uint64_t" : "int64_t"
  }

  /// Bytes of a state.
  var stateBytes: Int {
    let size = number == "float" ? 4 : 8
    switch function {
    case .logSumExp: return isReal ? 2 * size : 16
    case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum: return 2 * size
    default: return size
    }
  }

  /// Whether `add` needs the element's index.
  var usesIndex: Bool { extremum != nil }

  private var extremum: (isMaximum: Bool, isLast: Bool)? {
    switch function {
    case .firstMaximum: (true, false)
    case .lastMaximum: (true, true)
    case .firstMinimum: (false, false)
    case .lastMinimum: (false, true)
    default: nil
    }
  }

  var text: String {
    if extremum != nil { return extremumText }
    switch function {
    case .logSumExp: return exponentialsText
    case .minimum, .maximum: return simple(number, initial: limit, merge: choice("o"))
    case .product:
      return isReal
        ? simple(number, initial: "1", merge: "s *= o;")
        : simple("uint64_t", initial: "1", merge: "s *= o;", wide: "(uint64_t)x")
    case .sumOfSquares, .l2Norm: return sum { "\($0) * \($0)" }
    case .l1Norm:
      if isReal { return sum { type == .float64 ? "fabs(\($0))" : "fabsf(\($0))" } }
      return type == .uint64 ? sum { $0 } : sum { "(\($0) >> 63 ? 0 - \($0) : \($0))" }
    default: return sum { $0 }
    }
  }

  private func sum(_ term: (String) -> String) -> String {
    isReal
      ? simple(number, initial: "0", merge: "s += o;", wide: term("x"))
      : simple("uint64_t", initial: "0", merge: "s += o;", wide: term("(uint64_t)x"))
  }

  /// A state that is a number, to which elements are merged like other states.
  private func simple(
    _ state: String, initial: String, merge: String, wide: String = "x"
  ) -> String {
    """
    typedef \(state) State;
    DEVICE State initial() { return \(initial); }
    DEVICE void merge(State& s, State o) { \(merge) }
    DEVICE void add(State& s, \(number) x, int) { merge(s, \(wide)); }
    DEVICE State exchanged(State s, int mask) { return shuffle_xor(s, mask); }
    """
  }

  /// What a minimum or maximum begins with.
  private var limit: String {
    let isMinimum = function == .minimum
    if isReal {
      return DataType.cudaLimit(isDouble: type == .float64, isPositive: isMinimum)
    }
    let wide: DataType = type == .uint64 ? .uint64 : .int64
    if isMinimum { return wide.cudaLiteral(type.integerRange?.upperBound ?? -1) }
    return wide.cudaLiteral(type.integerRange?.lowerBound ?? 0)
  }

  private func choice(_ other: String) -> String {
    let sign = function == .minimum ? "<" : ">"
    return isReal
      ? "s = s != s || s \(sign) \(other) ? s : \(other);"
      : "s = s \(sign) \(other) ? s : \(other);"
  }

  private var extremumText: String {
    guard let (isMaximum, isLast) = extremum else { return "" }
    let better = "o.value \(isMaximum ? ">" : "<") s.value"
    let isEqual =
      isReal ? "(o.value == s.value || (o.value != o.value && isNaN))" : "o.value == s.value"
    let wins = isReal ? "isNaN ? false : o.value != o.value || \(better)" : better
    return """
      struct State { \(number) value; int index; };
      DEVICE State initial() { State s; s.value = 0; s.index = -1; return s; }
      DEVICE void merge(State& s, State o) {
        \(isReal ? "const bool isNaN = s.value != s.value;" : "")
        const bool wins = \(isEqual) ? o.index \(isLast ? ">" : "<") s.index : \(wins);
        if (o.index >= 0 && (s.index < 0 || wins)) s = o;
      }
      DEVICE void add(State& s, \(number) x, int index) {
        State o;
        o.value = x;
        o.index = index;
        merge(s, o);
      }
      DEVICE State exchanged(State s, int mask) {
        s.value = shuffle_xor(s.value, mask);
        s.index = shuffle_xor(s.index, mask);
        return s;
      }
      """
  }

  private var exponentialsText: String {
    let isSingle = isReal && type != .float64
    let real = isSingle ? "float" : "double"
    let suffix = isSingle ? "f" : ""
    return """
      /* The sum of exp(x - most). */
      struct State { \(real) most, sum; };
      DEVICE State initial() {
        State s;
        s.most = -\(isSingle ? "INFINITY_F" : "INFINITY_D");
        s.sum = 0;
        return s;
      }
      DEVICE void merge(State& s, State o) {
        const bool up = s.most < o.most;
        const \(real) e = s.most == o.most ? 1 : exp\(suffix)(-fabs\(suffix)(s.most - o.most));
        s.sum = up ? s.sum * e + o.sum : s.sum + o.sum * e;
        s.most = up ? o.most : s.most != s.most ? s.most : o.most != o.most ? o.most : s.most;
      }
      DEVICE void add(State& s, \(number) x, int) {
        State o;
        o.most = (\(real))x;
        o.sum = 1;
        merge(s, o);
      }
      DEVICE State exchanged(State s, int mask) {
        s.most = shuffle_xor(s.most, mask);
        s.sum = shuffle_xor(s.sum, mask);
        return s;
      }
      """
  }

  /// The result of a complete state, before it is cast to `type` (`int64` for indices).
  func result(of state: String) -> OperandText {
    if extremum != nil {
      return OperandText("(int64_t)(\(state).index < 0 ? 0 : \(state).index)", .int64)
    }
    let size = type.cudaLiteral(Double(groupSize))
    let isSingle = isReal && type != .float64
    let wide = isReal ? type : type == .uint64 ? .uint64 : .int64
    let whole = type == .uint64 ? state : "(int64_t)\(state)"
    let real: DataType = isReal ? type : .float64
    let value = isReal ? state : "(double)\(whole)"
    switch function {
    case .logSumExp:
      return OperandText("log\(isSingle ? "f" : "")(\(state).sum) + \(state).most", real)
    case .l2Norm: return OperandText("sqrt\(isSingle ? "f" : "")(\(value))", real)
    case .logSum: return OperandText("log\(isSingle ? "f" : "")(\(value))", real)
    case .mean where isReal: return OperandText("\(state) / \(size)", type)
    case .mean where groupSize > 0:
      return OperandText("\(whole) / \(wide.cudaLiteral(Int64(groupSize)))", wide)
    default: return OperandText(isReal ? state : whole, wide)
    }
  }

  /// The type of results before the epilogue.
  var resultType: DataType { extremum == nil ? type : .int64 }
}

extension DataType {
  /// An infinity as C++ text.
  static func cudaLimit(isDouble: Bool, isPositive: Bool) -> String {
    "\(isPositive ? "" : "-")INFINITY_\(isDouble ? "D" : "F")"
  }
}
