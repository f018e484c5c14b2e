import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Interpreter {
  static func attention(
    _ problem: Attention, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let query = try inputs[required: 0]
    let key = try inputs[required: 1]
    let value = try inputs[required: 2]
    let loops = try AttentionLoops(problem, query: query, key: key, value: value, mask: inputs[3])
    return try finish(
      .floating(loops.run()), query.dataType, problem.epilogue, inputs, own: 4, output)
  }
}

private struct AttentionLoops {
  private let problem: Attention
  private let query: [Double]
  private let key: [Double]
  private let value: [Double]
  /// What is added to each score, and where it is found.
  private let mask: [Double]?
  private let maskOffsets: StridedIndex
  private let batch, heads, groups, queries, keys, depth, width: Int

  init(
    _ problem: Attention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor?
  ) throws(ProblemError) {
    self.problem = problem
    self.query = try query.doubles()
    self.key = try key.doubles()
    self.value = try value.doubles()
    (batch, heads, queries, depth) = (
      query.shape[0], query.shape[1], query.shape[2], query.shape[3]
    )
    (groups, keys, width) = (key.shape[1], key.shape[2], value.shape[3])
    let scores = [batch, heads, queries, keys]
    maskOffsets = StridedIndex(broadcasting: mask?.shape ?? [], to: scores)
    self.mask = try mask.map { mask throws(ProblemError) in
      let values = try mask.doubles()
      return mask.dataType == .bool ? values.map { $0 != 0 ? 0 : -.infinity } : values
    }
  }

  func run() -> [Double] {
    var result = [Double](repeating: 0, count: batch * heads * queries * width)
    var scores = [Double](repeating: 0, count: keys)
    for b in 0..<batch {
      for head in 0..<heads {
        let group = b * groups + head / (heads / groups)
        for s in 0..<queries {
          let row = (b * heads + head) * queries + s
          score(&scores, row: row, group: group, query: s)
          softmax(&scores)
          for t in 0..<keys where scores[t] != 0 {
            for v in 0..<width {
              result[row * width + v] += scores[t] * value[(group * keys + t) * width + v]
            }
          }
        }
      }
    }
    return result
  }

  private func score(_ scores: inout [Double], row: Int, group: Int, query s: Int) {
    let visible =
      problem.isCausal ? s + 1 + (problem.alignsEnds ? keys - queries : 0) : keys
    for t in 0..<keys {
      var product = 0.0
      for d in 0..<depth {
        product += query[row * depth + d] * key[(group * keys + t) * depth + d]
      }
      product *= problem.scale
      if problem.softCap != 0 { product = problem.softCap * tanh(product / problem.softCap) }
      scores[t] = t < visible ? product : -.infinity
    }
    guard let mask else { return }
    maskOffsets.forEachRun(from: row * keys, count: keys) { position, offset, length in
      for i in 0..<length {
        let term = mask[offset + i * maskOffsets.innerStride]
        scores[position + i] = term == -.infinity ? term : scores[position + i] + term
      }
    }
  }

  /// Weights that sum to 1, or all zeros where every key is excluded.
  private func softmax(_ scores: inout [Double]) {
    let largest = scores.reduce(-Double.infinity) { $1.isNaN || $1 > $0 ? $1 : $0 }
    if largest == -.infinity {
      for t in scores.indices { scores[t] = 0 }
      return
    }
    var sum = 0.0
    for t in scores.indices {
      scores[t] = exp(scores[t] - largest)
      sum += scores[t]
    }
    for t in scores.indices { scores[t] /= sum }
  }
}
