import KernelModel
import ProgramModel
import TensorModel

/// The operands of an attention step and the texts that all its kernels share.
struct AttentionShape {
  let problem: Attention
  let query, key, value: View
  /// Broadcast to `[batch, heads, queries, keys]`.
  let mask: View?
  let batch, heads, groups, queries, keys, depth, width: Int

  init?(_ step: Step) {
    guard case .attention(let problem) = step.problem, step.inputs.count >= 3,
      let query = step.inputs[0], let key = step.inputs[1], let value = step.inputs[2]
    else { return nil }
    self.problem = problem
    self.query = query
    self.key = key
    self.value = value
    batch = query.shape[0]
    heads = query.shape[1]
    groups = key.shape[1]
    queries = query.shape[2]
    keys = key.shape[2]
    depth = query.shape[3]
    width = value.shape[3]
    let scores = [batch, heads, queries, keys]
    mask = (step.inputs.count > 3 ? step.inputs[3] : nil)?.expanded(to: scores)
  }

  var isEmpty: Bool { batch * heads * queries * width == 0 }
  /// Query `s` sees keys before `s + 1 + offset` where the problem is causal.
  var causalOffset: Int { problem.alignsEnds ? keys - queries : 0 }
  /// Rows of all queries.
  var rows: Int { batch * heads * queries }

  /// Parameters and arguments of the problem's own operands.
  var parameters: [String] {
    func parameter(_ view: View, _ name: String) -> String {
      "const \(view.dataType.cudaStorage ?? "float")* __restrict__ \(name)"
    }
    return [parameter(query, "query"), parameter(key, "key"), parameter(value, "value")]
      + (mask.map { [parameter($0, "mask")] } ?? [])
  }

  var arguments: [KernelLaunch.Argument] {
    [.input(0), .input(1), .input(2)] + (mask == nil ? [] : [.input(3)])
  }

  /// Statements that move the operands to the batch element `b` and the head `h`.
  var toHead: [String] {
    let group = heads == groups ? "h" : "(h / \(heads / groups))"
    func advance(_ view: View, _ name: String, _ head: String) -> String {
      "\(name) += \(IndexText.sum([("b", view.strides[0]), (head, view.strides[1])]));"
    }
    return [
      advance(query, "query", "h"), advance(key, "key", group), advance(value, "value", group),
    ]
      + (mask.map { [advance($0, "mask", "h")] } ?? [])
  }

  /// What the mask adds to a score, in single or double precision: minus infinity excludes a key.
  func maskTerm(row: String, column: String, isDouble: Bool = false) -> String? {
    guard let mask else { return nil }
    let element =
      "load(mask[\(IndexText.sum([(row, mask.strides[2]), (column, mask.strides[3])]))])"
    let type: DataType = isDouble ? .float64 : .float32
    return mask.dataType == .bool
      ? "(\(element) ? 0 : \(type.cudaLiteral(-.infinity)))"
      : "(\(isDouble ? "double" : "float"))\(element)"
  }

  /// Whether the mask is the same for every query of a head.
  var masksKeysOnly: Bool { mask.map { $0.strides[2] == 0 || queries == 1 } ?? false }

  /// Statements that turn the product `score` of a query and a key into the argument of the softmax.
  ///
  /// - Parameter term: what the mask adds, if there is one.
  func finish(score: String, term: String?, isDouble: Bool = false) -> [String] {
    let type: DataType = isDouble ? .float64 : .float32
    let (real, suffix) = isDouble ? ("double", "") : ("float", "f")
    var lines = ["\(score) *= \(type.cudaLiteral(problem.scale));"]
    if problem.softCap != 0 {
      let cap = type.cudaLiteral(problem.softCap)
      lines.append("\(score) = \(cap) * tanh\(suffix)(\(score) / \(cap));")
    }
    guard let term else { return lines }
    let infinity = type.cudaLiteral(-.infinity)
    return lines + [
      "const \(real) term = \(term);",
      "\(score) = term == \(infinity) ? term : \(score) + term;",
    ]
  }
}
