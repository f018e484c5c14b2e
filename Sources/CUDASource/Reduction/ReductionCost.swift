import ProgramModel

/// A guess of the time of kernels that mostly wait for memory.
struct ReductionCost {
  let request: CUDARequest

  init(_ request: CUDARequest) { self.request = request }

  /// - Parameters:
  ///   - bytes: what moves between memory and multiprocessors, wasted bytes included.
  ///   - threads: all threads that have work.
  ///   - loads: of each thread.
  ///   - loadsInFlight: how many of them do not wait for each other.
  ///   - levels: exchanges between threads, one after the other.
  func seconds(
    bytes: Double, threads: Int, blockThreads: Int, loads: Int, loadsInFlight: Int,
    bytesPerLoad: Int, levels: Int
  ) -> Double {
    let gpu = request.gpu
    let blocks = ceilingQuotient(max(threads, 1), blockThreads)
    let residentBlocks = gpu.multiprocessors * max(min(2048 / blockThreads, 32), 1)
    let waves = Double(ceilingQuotient(blocks, residentBlocks))
    let rounds = Double(ceilingQuotient(max(loads, 1), max(loadsInFlight, 1)))
    let latency = 0.5e-6 * rounds + 0.03e-6 * Double(loads) + 0.03e-6 * Double(levels)
    // Few bytes in flight cannot draw the whole bandwidth.
    let residentThreads = min(
      Double(threads) / Double(gpu.multiprocessors),
      Double(max(min(2048 / blockThreads, 32), 1) * blockThreads))
    let inFlight = residentThreads * Double(min(loads, loadsInFlight) * bytesPerLoad)
    let bandwidth = gpu.memoryBandwidth * min(max(inFlight / 24_000, 0.01), 1)
    return request.launchSeconds + latency + max(bytes / bandwidth, (waves - 1) * latency)
  }
}
