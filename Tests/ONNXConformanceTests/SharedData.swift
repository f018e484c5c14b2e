import Foundation

/// Test data that is not part of the package: a folder `shared` beside it.
enum SharedData {
  /// The folder, where it has the file; nil where it is missing.
  static func directory(containing file: String) -> String? {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let roots = [package.path, FileManager.default.currentDirectoryPath]
    return roots.map { "\($0)/../shared" }
      .first { FileManager.default.fileExists(atPath: "\($0)/\(file)") }
  }

  static func reportSkip(_ file: String) {
    print("skipped: ../shared/\(file) is missing")
  }
}

/// A folder that exists while a test runs.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "needletail-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }

  struct UnpackingFailure: Error { var status: Int32 }

  func unpack(_ archive: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/tar")
    process.arguments = ["-xzf", archive, "-C", path]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw UnpackingFailure(status: process.terminationStatus)
    }
  }
}
