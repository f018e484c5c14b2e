/// The node tests that do not pass as they stand, each with its reason.
///
/// A test that is not listed must pass; one that is listed as refused or different must not.
enum KnownExceptions {
  enum Expectation: Equatable {
    case passes
    /// The importer refuses the model.
    case isRefused
    /// The outputs cannot be those stored.
    case differs
  }

  struct Exception {
    var expectation: Expectation
    /// Nil: as the list of tests says.
    var comparison: TensorComparison?
  }

  static func exception(for name: String, _ binding: NodeTest.Binding) -> Exception? {
    if refused.contains(where: { $0.names.contains(name) }) {
      return Exception(expectation: .isRefused)
    }
    if random.contains(name) { return Exception(expectation: .differs) }
    if binding == .symbolic, dataDependentRank.contains(name) {
      return Exception(expectation: .differs)
    }
    if let coarse = coarse.first(where: { $0.names.contains(name) }) {
      return Exception(expectation: .passes, comparison: coarse.comparison)
    }
    return nil
  }

  /// Listed names that no test has.
  static func unknownNames(among names: [String]) -> [String] {
    let listed =
      refused.flatMap(\.names) + random + dataDependentRank + coarse.flatMap(\.names)
    return listed.filter { !Set(names).contains($0) }
  }

  // MARK: Lists

  struct Refused {
    var reason: String
    var names: Set<String>
  }

  struct Coarse {
    var reason: String
    var comparison: TensorComparison
    var names: Set<String>
  }

  static let refused: [Refused] = []
  static let random: Set<String> = []
  static let dataDependentRank: Set<String> = []
  static let coarse: [Coarse] = []
}
