import CUDADriver
import CUDASource
import Dispatch
import Foundation
import Synchronization

/// Compiled kernels of one GPU: from memory, from the cache on disk, or from the compiler.
final class KernelStore: Sendable {
  private let gpu: GPU
  let architecture: String
  private let cache = KernelCache.standard
  private let images = Mutex<[KernelSource: [UInt8]]>([:])
  /// Code of engines, by `engineKey`.
  private let adopted = Mutex<[String: [UInt8]]>([:])
  private let compiler = Mutex<RuntimeCompiler?>(nil)

  init(_ gpu: GPU, architecture: String) {
    self.gpu = gpu
    self.architecture = architecture
  }

  /// Makes sure that every kernel is compiled; compiles on all cores.
  ///
  /// - Parameter stopsAtFailure: whether a kernel that does not compile is an error here.
  func compile(
    _ sources: Set<KernelSource>, stopsAtFailure: Bool = true, progress: (Double) -> Void = { _ in }
  ) throws(CUDAError) {
    let missing = images.withLock { images in
      sources.filter { source in
        if images[source] == nil { images[source] = adoptedImage(source) }
        return images[source] == nil
      }
    }
    guard !missing.isEmpty else { return }
    // Long texts first, so that the last ones to finish are short.
    let work = missing.sorted {
      ($0.body.utf8.count, $0.body) > ($1.body.utf8.count, $1.body)
    }
    let compiler = try theCompiler()
    let failure = Mutex<CUDAError?>(nil)
    let batch = max(ProcessInfo.processInfo.activeProcessorCount * 4, 16)
    for start in stride(from: 0, to: work.count, by: batch) {
      let part = work[start..<min(start + batch, work.count)]
      DispatchQueue.concurrentPerform(iterations: part.count) { index in
        let source = part[start + index]
        do {
          let image = try self.image(source, compiler)
          images.withLock { $0[source] = image }
        } catch let error as CUDAError {
          failure.withLock { $0 = $0 ?? error }
        } catch {}
      }
      if stopsAtFailure, let error = failure.withLock({ $0 }) { throw error }
      progress(Double(start + part.count) / Double(work.count))
    }
  }

  // MARK: Engines

  /// Names a kernel whatever compiler it came from.
  private func engineKey(_ source: KernelSource) -> String {
    KernelCache.key(text: source.text, architecture: architecture, compilerVersion: "")
  }

  private func adoptedImage(_ source: KernelSource) -> [UInt8]? {
    adopted.withLock { $0.isEmpty ? nil : $0[engineKey(source)] }
  }

  func adopt(_ code: [String: [UInt8]]) { adopted.withLock { $0.merge(code) { $1 } } }

  /// The compiled kernels of sources, as engines keep them.
  func code(_ sources: some Sequence<KernelSource>) -> [String: [UInt8]] {
    images.withLock { images in
      var result: [String: [UInt8]] = [:]
      for source in sources { result[engineKey(source)] = images[source] }
      return result
    }
  }

  // MARK: Compiling

  private func image(
    _ source: KernelSource, _ compiler: RuntimeCompiler
  ) throws(CUDAError) -> [UInt8] {
    let key = KernelCache.key(
      text: source.text, architecture: architecture, compilerVersion: compiler.version)
    if let known = cache.read(key) { return known }
    let image = try compiler.compile(source.text, architecture: architecture)
    cache.write(image, key)
    return image
  }

  private func theCompiler() throws(CUDAError) -> RuntimeCompiler {
    if let known = compiler.withLock({ $0 }) { return known }
    let opened = try RuntimeCompiler(newestMajor: gpu.driver.version / 1000)
    compiler.withLock { $0 = opened }
    return opened
  }

  /// Loads compiled kernels.
  func load(_ launches: [KernelLaunch]) throws(CUDAError) -> [KernelSource: Kernel] {
    var sharedBytes: [KernelSource: Int] = [:]
    for launch in launches {
      sharedBytes[launch.source] = max(sharedBytes[launch.source] ?? 0, launch.sharedBytes)
    }
    try compile(Set(sharedBytes.keys))
    var kernels: [KernelSource: Kernel] = [:]
    for (source, bytes) in sharedBytes {
      guard let image = images.withLock({ $0[source] }) else { continue }
      kernels[source] = try KernelModule(gpu, image: image).kernel(
        source.entry, sharedBytes: bytes)
    }
    return kernels
  }
}

extension GPUStream {
  /// Launches a kernel of a plan.
  func launch(
    _ launch: KernelLaunch, _ kernel: Kernel, arguments: [KernelValue]
  ) throws(CUDAError) {
    try self.launch(
      kernel, grid: (launch.grid.x, launch.grid.y, launch.grid.z), threads: launch.threads,
      sharedBytes: launch.sharedBytes, arguments: arguments)
  }
}
