package import TensorModel

/// The accuracy of a classifier: the class of a sample is the largest of its numbers, the first where several are.
package enum TopOne {
  /// - Parameters:
  ///   - scores: `[samples, ...]`.
  ///   - first: the label of the first sample; samples beyond the last label do not count.
  /// - Returns: how many samples have their label's class, and how many have a label.
  package static func correct(
    _ scores: Tensor?, _ labels: [Int64], from first: Int
  ) -> (correct: Int, count: Int) {
    guard let scores, let numbers = scores.numbers(), let samples = scores.shape.first, samples > 0,
      numbers.count >= samples
    else { return (0, 0) }
    let classes = numbers.count / samples
    let count = max(0, min(samples, labels.count - first))
    var correct = 0
    for sample in 0..<count {
      let row = numbers[(sample * classes)..<((sample + 1) * classes)]
      let best = row.indices.max { (row[$0], $1) < (row[$1], $0) } ?? row.startIndex
      if Int64(best - row.startIndex) == labels[first + sample] { correct += 1 }
    }
    return (correct, count)
  }
}
