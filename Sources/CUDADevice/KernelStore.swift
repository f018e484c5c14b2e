import CUDADriver
import CUDASource
import Dispatch
import Foundation
import Synchronization

/// Compiled kernels of one GPU: from memory, from the cache on disk, or from the compiler.
final class KernelStore: Sendable {
  private struct Contents {
    var images: [KernelSource: [UInt8]] = [:]
    /// Kernels that a thread compiles at this moment.
    var underWay: [KernelSource: DispatchGroup] = [:]
  }

  private let gpu: GPU
  let architecture: String
  private let cache = KernelCache.standard
  private let contents = Mutex(Contents())
  /// Code of engines, by `engineKey`.
  private let adopted = Mutex<[String: [UInt8]]>([:])
  private let compiler = Mutex<RuntimeCompiler?>(nil)

  init(_ gpu: GPU, architecture: String) {
    self.gpu = gpu
    self.architecture = architecture
  }

  /// Makes sure that every kernel is compiled; compiles on all cores, each kernel once however many threads ask.
  ///
  /// - Parameter stopsAtFailure: whether a kernel that does not compile is an error here.
  func compile(_ sources: Set<KernelSource>, stopsAtFailure: Bool = true) throws(CUDAError) {
    let missing = contents.withLock { contents in
      sources.filter { source in
        if contents.images[source] == nil { contents.images[source] = adoptedImage(source) }
        return contents.images[source] == nil
      }
    }
    guard !missing.isEmpty else { return }
    // Long texts first, so that the last ones to finish are short.
    let work = missing.sorted {
      ($0.body.utf8.count, $0.body) > ($1.body.utf8.count, $1.body)
    }
    try openCompiler()
    let failure = Mutex<CUDAError?>(nil)
    DispatchQueue.concurrentPerform(iterations: work.count) { index in
      if stopsAtFailure, failure.withLock({ $0 != nil }) { return }
      do throws(CUDAError) { try self.makeImage(work[index]) } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if stopsAtFailure, let error = failure.withLock({ $0 }) { throw error }
  }

  private enum Claim { case made, underWay(DispatchGroup), mine(DispatchGroup) }

  /// Compiles a kernel, or waits for the thread that does.
  private func makeImage(_ source: KernelSource) throws(CUDAError) {
    while true {
      let claim: Claim = contents.withLock { contents in
        if contents.images[source] != nil { return .made }
        if let group = contents.underWay[source] { return .underWay(group) }
        let group = DispatchGroup()
        group.enter()
        contents.underWay[source] = group
        return .mine(group)
      }
      switch claim {
      case .made: return
      case .underWay(let group): group.wait()
      case .mine(let group):
        let image = Result { () throws(CUDAError) in try self.image(source, self.openCompiler()) }
        contents.withLock { contents in
          contents.images[source] = try? image.get()
          contents.underWay[source] = nil
        }
        group.leave()
        _ = try image.get()
        return
      }
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
    contents.withLock { contents in
      var result: [String: [UInt8]] = [:]
      for source in sources { result[engineKey(source)] = contents.images[source] }
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

  /// NVRTC, opened when it is first needed.
  @discardableResult
  func openCompiler() throws(CUDAError) -> RuntimeCompiler {
    if let known = compiler.withLock({ $0 }) { return known }
    let opened = try RuntimeCompiler(newestMajor: gpu.driver.version / 1000)
    return compiler.withLock { compiler in
      compiler = compiler ?? opened
      return compiler ?? opened
    }
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
      guard let image = contents.withLock({ $0.images[source] }) else { continue }
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
      sharedBytes: launch.sharedBytes, clusterSize: launch.clusterSize, arguments: arguments)
  }
}
