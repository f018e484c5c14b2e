/// What went wrong, in one line: which node, input or file, what was expected, what was found, what to do.
public struct NeedletailError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Which part of the work failed.
  public enum Stage: String, Sendable, Hashable {
    /// The model file could not be read or understood.
    case model
    /// The model could not be turned into an engine.
    case build
    /// The engine file could not be read or written.
    case engine
    /// The caller's tensors do not fit the engine.
    case input
    /// The device failed.
    case device
  }

  /// Which part of the work failed.
  public let stage: Stage
  /// One line for the user.
  public let description: String

  package init(_ stage: Stage, _ description: String) {
    self.stage = stage
    self.description = description
  }
}
