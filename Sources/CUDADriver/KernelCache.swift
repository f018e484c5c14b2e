import Crypto
package import Foundation

/// Compiled kernels on disk, by the SHA-256 of their text, options, compiler version and architecture.
///
/// A file that is damaged, or that cannot be written, is as good as missing.
package struct KernelCache: Sendable {
  /// Nil where nothing is kept.
  package let folder: URL?

  package init(folder: URL?) { self.folder = folder }

  /// `$XDG_CACHE_HOME/needletail/kernels`, or what the knob says.
  package static var standard: KernelCache {
    if let path = Knob.kernelCache.value {
      return KernelCache(folder: path.isEmpty ? nil : URL(fileURLWithPath: path))
    }
    let base =
      Knob.cacheHome.value.map { URL(fileURLWithPath: $0) }
      ?? Knob.home.value.map { URL(fileURLWithPath: $0).appendingPathComponent(".cache") }
    return KernelCache(folder: base?.appendingPathComponent("needletail/kernels"))
  }

  package static func key(text: String, architecture: String, compilerVersion: String) -> String {
    var hash = SHA256()
    for part in RuntimeCompiler.options(architecture: architecture) + [compilerVersion, text] {
      hash.update(data: Data("\(part.utf8.count):".utf8))
      hash.update(data: Data(part.utf8))
    }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  package func read(_ key: String) -> [UInt8]? {
    guard let file = folder?.appendingPathComponent(key),
      let data = try? Data(contentsOf: file), data.count > 32
    else { return nil }
    let image = data.dropFirst(32)
    guard Data(SHA256.hash(data: image)) == data.prefix(32) else { return nil }
    return Array(image)
  }

  package func write(_ image: [UInt8], _ key: String) {
    guard let folder else { return }
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let data = Data(SHA256.hash(data: image)) + Data(image)
    try? data.write(to: folder.appendingPathComponent(key), options: .atomic)
  }
}
