import DynamicTensorMemory
import Foundation
import Testing

/// The "challenging" problems of github.com/google/minimalloc: allocations of real programs for
/// machine learning accelerators that are known to fit into 1,048,576 bytes.
@Suite struct MiniMallocTests {
  private static let capacity = 1_048_576
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("../shared/data/minimalloc").standardizedFileURL

  private static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path) }

  private func lifetimes(_ name: String) throws -> [Lifetime] {
    let file = Self.folder.appendingPathComponent("\(name).\(Self.capacity).csv")
    let text = try String(contentsOf: file, encoding: .utf8)
    return text.split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: ",").compactMap { Int($0) }
      guard fields.count == 4 else { return nil }
      return Lifetime(id: fields[0], first: fields[1], end: fields[2], byteCount: fields[3])
    }
  }

  /// Those that take few steps of the search, since a debug build is slow.
  @Test(
    .enabled(if: isPresent, "../shared/data/minimalloc is missing"),
    arguments: ["A", "C", "I"])
  func fitsTheCapacity(name: String) throws {
    let lifetimes = try lifetimes(name)
    #expect(lifetimes.count > 100)
    let effort = ArenaPlanner.Effort(
      searchWork: 200_000_000, sufficientByteCount: Self.capacity)
    let layout = try ArenaPlanner.plan(lifetimes, effort: effort)
    expectValid(layout, lifetimes, [])
    #expect(layout.byteCount <= Self.capacity)
  }
}
