/// Bounds on what a file may ask for, so that a hostile one cannot exhaust memory or time.
public struct Limits: Sendable, Hashable {
  /// Bytes of a model or engine file, external data included.
  public var fileBytes = 64 << 30
  /// Bytes of one tensor.
  public var tensorBytes = 16 << 30
  /// Nodes of a graph, those of subgraphs included.
  public var nodes = 1_000_000
  /// Dimensions of a tensor.
  public var rank = 32
  /// Subgraphs inside subgraphs.
  public var nesting = 32
  /// Bytes that constant folding may produce for one value.
  public var foldedBytes = 1 << 30

  /// The limits that every command uses.
  public init() {}
}
