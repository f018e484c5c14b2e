import Foundation
import ImageFiles
import TensorModel

/// The files that hold samples.
enum CalibrationFiles {
  /// Files of one array, in the order of the inputs.
  case arrays([String])
  /// Archives with an array for each input; the samples of one follow those of another.
  case archives([String])
  case images([String])

  static func find(_ url: URL, inputs: [String]) throws(NeedletailError) -> CalibrationFiles {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw NeedletailError(.input, "calibration data '\(url.path)' does not exist")
    }
    if isFolder.boolValue { return try inFolder(url, inputs) }
    switch url.pathExtension {
    case "npz": return .archives([url.path])
    case "npy" where inputs.count == 1: return .arrays([url.path])
    case "npy":
      throw NeedletailError(
        .input,
        "the model has \(inputs.count) inputs; give a .npz file with an array for each, or a folder "
          + "with " + inputs.map { "'\(fileName($0))'" }.joined(separator: ", "))
    default:
      throw NeedletailError(
        .input,
        "calibration data '\(url.path)' is neither a .npy or .npz file nor a folder of those or of "
          + "PNG and JPEG images")
    }
  }

  private static func arrayName(_ input: String) -> String {
    input.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "_")
  }

  private static func fileName(_ input: String) -> String { arrayName(input) + ".npy" }

  private static func inFolder(
    _ url: URL, _ inputs: [String]
  ) throws(NeedletailError) -> CalibrationFiles {
    let entries = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
    let files = entries.filter { !$0.hasPrefix(".") }
    guard let first = files.first else {
      throw NeedletailError(
        .input, "the calibration set is empty: no .npy, .npz or image file in '\(url.path)'")
    }
    let paths = files.map { url.appendingPathComponent($0).path }
    if ImageFile.isImage(first) {
      if let other = files.first(where: { !ImageFile.isImage($0) }) {
        throw NeedletailError(.input, "'\(other)' in '\(url.path)' is no PNG or JPEG image")
      }
      guard inputs.count == 1 else {
        throw NeedletailError(
          .input, "a folder of images is for a model with one input, not \(inputs.count)")
      }
      return .images(paths)
    }
    if first.hasSuffix(".npz") {
      if let other = files.first(where: { !$0.hasSuffix(".npz") }) {
        throw NeedletailError(.input, "'\(other)' in '\(url.path)' is no .npz file like the others")
      }
      return .archives(paths)
    }
    return .arrays(try named(url, files, inputs))
  }

  /// The paths of files named after the inputs.
  private static func named(
    _ url: URL, _ files: [String], _ inputs: [String]
  ) throws(NeedletailError) -> [String] {
    let wanted = inputs.map(fileName)
    if let other = files.first(where: { !wanted.contains($0) }) {
      throw NeedletailError(
        .input,
        "'\(other)' in '\(url.path)' is named after no input; the model has "
          + inputs.map { "'\($0)'" }.joined(separator: ", "))
    }
    if let missing = zip(inputs, wanted).first(where: { !files.contains($0.1) }) {
      throw NeedletailError(
        .input, "'\(url.path)' has no '\(missing.1)' for input '\(missing.0)'")
    }
    return wanted.map { url.appendingPathComponent($0).path }
  }

  // MARK: Reading

  /// The samples of one input and where they are from.
  struct Samples {
    var path: String
    var tensor: Tensor
  }

  /// One for each input.
  func arrays(_ inputs: [String]) throws(NeedletailError) -> [Samples] {
    do {
      switch self {
      case .images: return []
      case .arrays(let paths):
        var result: [Samples] = []
        for path in paths { result.append(Samples(path: path, tensor: try NPYFile.read(path))) }
        return result
      case .archives(let paths): return try Self.joined(paths, inputs)
      }
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.input, "\(error)")
    }
  }

  private static func joined(_ paths: [String], _ inputs: [String]) throws -> [Samples] {
    var parts: [[Tensor]] = inputs.map { _ in [] }
    for path in paths {
      let members = try NPZFile.read(path)
      if let other = members.first(where: { member in
        !inputs.contains { $0 == member.name || arrayName($0) == member.name }
      }) {
        throw NeedletailError(
          .input,
          "array '\(other.name)' of '\(path)' is named after no input; the model has "
            + inputs.map { "'\($0)'" }.joined(separator: ", "))
      }
      for (index, input) in inputs.enumerated() {
        guard
          let member = members.first(where: { $0.name == input || arrayName(input) == $0.name })
        else {
          throw NeedletailError(.input, "'\(path)' has no array '\(input)' for the input")
        }
        let tensor = member.tensor
        if let first = parts[index].first,
          first.dataType != tensor.dataType || first.shape.dropFirst() != tensor.shape.dropFirst()
        {
          throw NeedletailError(
            .input,
            "array '\(input)' of '\(path)' is \(tensor.type), that of '\(paths[0])' \(first.type)")
        }
        guard !tensor.shape.isEmpty else {
          throw NeedletailError(.input, "array '\(input)' of '\(path)' has no axis of samples")
        }
        parts[index].append(tensor)
      }
    }
    return try zip(inputs, parts).map { input, tensors in
      Samples(
        path: paths.count == 1 ? "\(paths[0])/\(input)" : input, tensor: try concatenated(tensors))
    }
  }

  /// Tensors behind each other along the first axis.
  private static func concatenated(_ tensors: [Tensor]) throws -> Tensor {
    guard let first = tensors.first else {
      throw NeedletailError(.input, "the calibration set is empty")
    }
    if tensors.count == 1 { return first }
    let count = tensors.reduce(0) { $0 + $1.shape[0] }
    var result = try Tensor(
      uninitialized: first.dataType, shape: [count] + first.shape.dropFirst())
    result.withUnsafeMutableBytes { target in
      var start = 0
      for tensor in tensors {
        tensor.withUnsafeBytes { source in
          target[start..<(start + source.count)].copyBytes(from: source)
        }
        start += tensor.byteCount
      }
    }
    return result
  }
}
