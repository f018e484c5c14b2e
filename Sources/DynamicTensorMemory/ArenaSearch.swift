/// A branch and bound that looks for a layout of at most `capacity` bytes.
///
/// Every buffer has a floor, the least offset that it can still have. In a canonical layout each buffer lies at
/// zero or on top of another one (Moffitt, "MiniMalloc", ASPLOS 2023), so a buffer that no other can come
/// under either lies at its floor, or at least as high as the lowest top that a neighbour can have. The
/// search branches on that, for a buffer of the clique that has the fewest ways to be continued.
/// Cliques in which the search has failed are preferred, in later runs too. What falls apart into
/// groups without conflicts is solved group by group, and groups that have failed are remembered.
///
/// The work is counted in visits of a buffer in a clique; equal inputs give equal outputs everywhere.
final class ArenaSearch {
  /// How a run makes its choices.
  struct Strategy {
    enum CliqueRule { case fewestOptions, fewestOptionsPerFailure, balanced, tightest }

    var cliqueRule: CliqueRule
    /// The buffers in the order in which they are tried.
    var ranks: [Int32]
  }

  enum Outcome { case found, impossible, outOfWork }

  let tables: Tables
  private let capacity: Int
  private var strategy: Strategy
  /// Visits so far, and where to stop.
  private(set) var work = 0
  private var workLimit = 0
  private var trail: [Undo] = []
  private var nodes: [Node] = []
  private var groups: [Group] = []
  /// The buffers and cliques of groups, one group after another.
  private var lists: [Int32] = []
  private var failedGroups: [UInt64]
  private var dirty: [Int32] = []

  init(problem: PackingProblem, capacity: Int) {
    tables = Tables(problem)
    self.capacity = capacity
    strategy = Strategy(cliqueRule: .balanced, ranks: [])
    failedGroups = [UInt64](repeating: 0, count: 1 << 16)
    dirty.reserveCapacity(tables.cliqueCount)
  }

  /// A step that can be taken back.
  private enum Undo {
    case floor(buffer: Int32, Int)
    case clique(Int32, Tables.Clique)
    case placement(buffer: Int32)
  }

  /// Buffers that conflict with no unplaced buffer outside.
  private struct Group {
    var buffers: Range<Int>
    var cliques: Range<Int>
    /// The node whose placement made it; -1 for those of the start.
    var parent: Int
  }

  /// A buffer placed at its floor, to be raised when that fails.
  private struct Node {
    var group: Group
    var hash: UInt64
    var buffer: Int32
    /// What to go back to when the placement fails, and when the node does.
    var trailBeforePlacement: Int
    var trailBeforeNode: Int
    var groupCount: Int
    var listCount: Int
  }
}
