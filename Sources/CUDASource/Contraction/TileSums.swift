/// The part of a tile's kernel that multiplies: reads tiles from shared memory, holds the sums.
protocol TileSums: Sendable {
  /// Declares the sums and what reads the tiles.
  func declare(_ text: inout KernelText, a: TileFeedText, b: TileFeedText)

  /// The loop over the steps of the depth; `copy` writes what begins the copy of a later step's tiles,
  /// once in each step, after all threads have left the tiles that it overwrites.
  func loop(_ text: inout KernelText, copy: (inout KernelText) -> Void)

  /// The text of the thread's sum `index`.
  func element(_ index: String) -> String

  /// Writes the sums to `staged`, rows of `row` floats.
  func stage(_ text: inout KernelText, row: Int, isColumnMajor: Bool)
}
