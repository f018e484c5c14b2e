import DynamicLibraries

extension DynamicLibrary {
  /// A function by its name.
  func function<Function>(
    _ name: String, as type: Function.Type = Function.self
  ) throws(ImageError) -> Function {
    guard let function = symbol(name, as: type) else {
      throw ImageError("cannot be decoded: library '\(path)' has no function '\(name)'")
    }
    return function
  }
}
