import ProgramModel

/// A kernel's text for some blocks of a grid.
struct KernelPart {
  var parameters: [String]
  /// Statements before the kernel's own.
  var shifts: [String] = []
  var arguments: [KernelLaunch.Argument]
  var kernel: ElementKernel
}

/// Threads of a block and vectors of a thread.
struct LaunchShape: Sendable {
  var threads: Int
  var unroll: Int

  /// Sensible shapes for a number of vectors, the likeliest first.
  static func candidates(_ gpu: GPUProperties, _ vectors: Int) -> [LaunchShape] {
    // Every multiprocessor gets some blocks before threads get more than one vector.
    let perMultiprocessor = vectors / gpu.multiprocessors
    let shapes =
      perMultiprocessor < 256
      ? [(64, 1), (128, 1)]
      : perMultiprocessor < 2048
        ? [(128, 1), (256, 1), (128, 2)] : [(256, 2), (256, 4), (256, 1)]
    return shapes.map { LaunchShape(threads: $0.0, unroll: $0.1) }
  }

  /// One launch of some kernels, each of which has its own blocks.
  func launch(_ entry: String, _ parts: [KernelPart]) throws(CUDASourceError) -> KernelLaunch {
    var text = KernelText()
    let parameters = parts.flatMap(\.parameters).joined(separator: ", ")
    var blocks = 0
    try text.block("KERNEL(\(threads)) \(entry)(\(parameters))") { text throws(CUDASourceError) in
      for (number, part) in parts.enumerated() {
        let start = blocks
        blocks += part.kernel.blockCount
        guard parts.count > 1 else {
          text.lines(part.shifts)
          try part.kernel.write(to: &text)
          return
        }
        let condition = number == parts.count - 1 ? "" : "if (blockIdx.x < \(blocks)u)"
        try text.block(number == 0 ? condition : "else \(condition)") {
          text throws(CUDASourceError) in
          text.lines(part.shifts)
          try part.kernel.write(to: &text, firstBlock: start)
        }
      }
    }
    return KernelLaunch(
      KernelSource(entry: entry, body: text.text), grid: GridSize(blocks), threads: threads,
      arguments: parts.flatMap(\.arguments))
  }

  /// The cost model's guess, without the launch.
  ///
  /// - Parameter sizes: bytes of an element of each lane.
  func seconds(_ gpu: GPUProperties, _ walk: VectorWalk, sizes: [Int]) -> Double {
    var bytes = 0.0
    for (lane, size) in sizes.enumerated() where size > 0 {
      bytes += Self.traffic(walk, lane: lane, size: size)
    }
    let blocks = ceilingQuotient(walk.vectorCount, threads * unroll)
    return Self.seconds(
      gpu, bytes: bytes, blocks: blocks, threads: threads,
      bytesInFlight: Double(sizes.reduce(0, +) * walk.width * unroll))
  }

  /// Bytes that the memory moves for a lane: whole sectors of 32 bytes.
  private static func traffic(_ walk: VectorWalk, lane: Int, size: Int) -> Double {
    let space = walk.elements
    var distinct = 1.0
    for (axis, extent) in space.extents.enumerated() where space.strides[lane][axis] != 0 {
      distinct *= Double(extent)
    }
    let last = space.strides[lane].last ?? 1
    // Narrow accesses of neighbouring threads share sectors, far ones share some through the cache.
    let waste = abs(last) <= 1 ? 1.0 : min(Double(abs(last)), 32 / Double(size), 4)
    return distinct * Double(size) * waste
  }

  /// - Parameter bytesInFlight: what one thread asks for before it waits.
  static func seconds(
    _ gpu: GPUProperties, bytes: Double, blocks: Int, threads: Int, bytesInFlight: Double
  ) -> Double {
    let resident = min(Double(blocks * threads), Double(gpu.multiprocessors) * 1536)
    // Little's law: a latency of some 0.8 microseconds.
    let bandwidth = min(gpu.memoryBandwidth, resident * bytesInFlight / 0.8e-6)
    let waves = Double(blocks * threads) / (Double(gpu.multiprocessors) * 2048)
    return bytes / max(bandwidth, 1) + waves * 0.1e-6 + 0.5e-6
  }
}
