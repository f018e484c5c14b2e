import GraphModel
import TensorModel

/// An equation of Einstein summation, such as `bij,bjk->bik`.
struct EinsteinSummation {
  /// The name of an axis: a letter, or an axis under the ellipsis, counted from its last.
  enum Label: Hashable {
    case letter(Character)
    case ellipsis(Int)
  }

  private enum Item: Equatable {
    case letter(Character)
    case ellipsis
  }

  private let operands: [[Item]]
  private let result: [Item]?

  init(_ equation: String) throws(OperatorError) {
    let text = equation.filter { !$0.isWhitespace }
    var sides: [Substring] = [Substring(text)]
    if let arrow = text.firstRange(of: "->") {
      sides = [text[..<arrow.lowerBound], text[arrow.upperBound...]]
    }
    var operands: [[Item]] = []
    for term in sides[0].split(separator: ",", omittingEmptySubsequences: false) {
      operands.append(try Self.items(term, equation))
    }
    self.operands = operands
    result = sides.count == 2 ? try Self.items(sides[1], equation) : nil
  }

  var operandCount: Int { operands.count }

  private static func items(
    _ term: Substring, _ equation: String
  ) throws(OperatorError) -> [Item] {
    var items: [Item] = []
    var rest = term
    while let first = rest.first {
      if rest.hasPrefix("...") {
        guard !items.contains(.ellipsis) else {
          throw OperatorError("'\(equation)' has two ellipses in one term")
        }
        items.append(.ellipsis)
        rest = rest.dropFirst(3)
      } else if first.isASCII, first.isLetter {
        items.append(.letter(first))
        rest = rest.dropFirst()
      } else {
        throw OperatorError("'\(first)' is not expected in '\(equation)'")
      }
    }
    return items
  }

  /// The labels of the axes of each operand, for operands of the given ranks.
  func labels(ranks: [Int]) throws(OperatorError) -> [[Label]] {
    guard ranks.count == operands.count else {
      throw OperatorError("\(ranks.count) inputs for \(operands.count) terms")
    }
    var result: [[Label]] = []
    for (items, rank) in zip(operands, ranks) {
      let letters = items.count { $0 != .ellipsis }
      let hidden = rank - letters
      guard items.contains(.ellipsis) ? hidden >= 0 : hidden == 0 else {
        throw OperatorError("an input has rank \(rank), its term names \(letters) axes")
      }
      result.append(Self.labels(items, hidden: hidden))
    }
    return result
  }

  /// The labels of the axes of the result.
  func resultLabels(_ operands: [[Label]]) throws(OperatorError) -> [Label] {
    let all = operands.flatMap { $0 }
    let hidden = all.reduce(0) { most, label in
      if case .ellipsis(let place) = label { max(most, place) } else { most }
    }
    guard let result else {
      var counts: [Character: Int] = [:]
      for case .letter(let letter) in all { counts[letter, default: 0] += 1 }
      let single = counts.filter { $0.value == 1 }.keys.sorted()
      return Self.labels([.ellipsis] + single.map { .letter($0) }, hidden: hidden)
    }
    let labels = Self.labels(result, hidden: hidden)
    guard Set(labels).count == labels.count, Set(labels).isSubset(of: Set(all)) else {
      throw OperatorError("the result repeats an axis or names one that no input has")
    }
    return labels
  }

  private static func labels(_ items: [Item], hidden: Int) -> [Label] {
    items.flatMap { item -> [Label] in
      switch item {
      case .letter(let letter): [.letter(letter)]
      case .ellipsis: (0..<hidden).map { .ellipsis(hidden - $0) }
      }
    }
  }
}
