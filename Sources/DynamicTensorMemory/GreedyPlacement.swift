/// Places buffers one after another, each where it fits among those placed before.
struct GreedyPlacement {
  /// Which buffer is placed next.
  enum Order: CaseIterable {
    case size, area, lifetime, start
  }

  /// Which of the gaps that are large enough is taken.
  enum Fit: CaseIterable {
    case best, first
  }

  let problem: PackingProblem

  /// The offset of each buffer of the problem.
  func offsets(order: Order, fit: Fit) -> [Int] {
    offsets(of: sequence(order), fit: fit)
  }

  /// The offset of each buffer, placed in the sequence given.
  func offsets(of sequence: [Int], fit: Fit) -> [Int] {
    var offsets = [Int](repeating: -1, count: problem.count)
    var placed: [(offset: Int, end: Int)] = []
    for buffer in sequence {
      placed.removeAll(keepingCapacity: true)
      for other in problem.neighbors[buffer] where offsets[Int(other)] >= 0 {
        placed.append((offsets[Int(other)], offsets[Int(other)] + problem.sizes[Int(other)]))
      }
      placed.sort { $0 < $1 }
      offsets[buffer] = gap(
        size: problem.sizes[buffer], alignment: problem.alignments[buffer], among: placed, fit: fit)
    }
    return offsets
  }

  func byteCount(of offsets: [Int]) -> Int {
    offsets.indices.reduce(0) { max($0, offsets[$1] + problem.sizes[$1]) }
  }

  private func gap(
    size: Int, alignment: Int, among placed: [(offset: Int, end: Int)], fit: Fit
  ) -> Int {
    var (top, best, bestWaste) = (0, -1, Int.max)
    for (offset, end) in placed {
      let candidate = top.rounded(upTo: alignment)
      if candidate <= offset, offset - candidate >= size {
        if fit == .first { return candidate }
        let waste = offset - top - size
        if waste < bestWaste { (best, bestWaste) = (candidate, waste) }
      }
      top = max(top, end)
    }
    return best >= 0 ? best : top.rounded(upTo: alignment)
  }

  private func sequence(_ order: Order) -> [Int] {
    let keys = (0..<problem.count).map { buffer -> (Double, Double) in
      let steps = problem.steps[buffer]
      let size = Double(problem.sizes[buffer])
      let duration = Double(steps.upperBound) - Double(steps.lowerBound)
      switch order {
      case .size: return (-size, -duration)
      case .area: return (-size * duration, -size)
      case .lifetime: return (-duration, -size)
      case .start: return (Double(steps.lowerBound), -size)
      }
    }
    return (0..<problem.count).sorted {
      (keys[$0].0, keys[$0].1, $0) < (keys[$1].0, keys[$1].1, $1)
    }
  }
}

extension Int {
  /// The least multiple of a power of two that is not below; the caller knows that it does not
  /// overflow.
  func rounded(upTo alignment: Int) -> Int { (self + alignment - 1) & ~(alignment - 1) }
}
