/// When a buffer is needed, and how large it is.
package struct Lifetime: Hashable, Sendable {
  /// The caller's name for the buffer; the planner only repeats it in errors.
  package var id: Int
  /// The step that writes the buffer first.
  package var first: Int
  /// The step after the last one that reads it: the buffer is live in `first ..< end`.
  package var end: Int
  package var byteCount: Int
  /// A power of two; offsets are multiples of it, and sizes are rounded up to it.
  package var alignment: Int

  package init(id: Int, first: Int, end: Int, byteCount: Int, alignment: Int = 64) {
    self.id = id
    self.first = first
    self.end = end
    self.byteCount = byteCount
    self.alignment = alignment
  }
}

/// Where each buffer lies in one arena.
package struct ArenaLayout: Hashable, Sendable {
  /// The byte offset of each buffer, in the order of the lifetimes given.
  package var offsets: [Int]
  /// The size of the arena.
  package var byteCount: Int
  /// No layout of the same (rounded) sizes is smaller than this.
  package var lowerBound: Int

  package init(offsets: [Int], byteCount: Int, lowerBound: Int) {
    self.offsets = offsets
    self.byteCount = byteCount
    self.lowerBound = lowerBound
  }

  package var isOptimal: Bool { byteCount == lowerBound }
}

/// Why buffers could not be planned.
package enum ArenaError: Error, Hashable, Sendable, CustomStringConvertible {
  case emptyLifetime(id: Int, first: Int, end: Int)
  case negativeSize(id: Int, byteCount: Int)
  case invalidAlignment(id: Int, alignment: Int)
  case unknownBuffer(index: Int, count: Int)
  case sizeOverflow(id: Int)

  package var description: String {
    switch self {
    case .emptyLifetime(let id, let first, let end):
      "buffer \(id) is live in \(first)..<\(end); expected the end after the first step"
    case .negativeSize(let id, let byteCount):
      "buffer \(id) has \(byteCount) bytes; expected none or more"
    case .invalidAlignment(let id, let alignment):
      "buffer \(id) has alignment \(alignment); expected a power of two"
    case .unknownBuffer(let index, let count):
      "a conflict names buffer \(index); expected an index in 0..<\(count)"
    case .sizeOverflow(let id):
      "the sizes of the buffers up to buffer \(id) add up to more than an address can reach; "
        + "make the input shapes smaller"
    }
  }
}
