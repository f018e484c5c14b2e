import CUDADriver
import CUDASource
package import DeviceInterface

/// What a user can ask of a GPU beside its kernels' results.
extension CUDA {
  /// The time from one kernel to the next in a graph, in seconds: a chain of kernels that do nothing.
  ///
  /// - Parameter blocks: of each kernel; by default one for each multiprocessor.
  package func graphGapSeconds(blocks: Int? = nil) throws(DeviceError) -> Double {
    do throws(CUDAError) {
      let source = KernelSource(entry: "nothing", body: "KERNEL(32) nothing() {}\n")
      let launch = KernelLaunch(
        source, grid: GridSize(blocks ?? properties.multiprocessors), threads: 32, arguments: [])
      guard let kernel = try store.load([launch])[source] else {
        throw CUDAError(.driver, "the empty kernel was not loaded")
      }
      let count = 512
      let short = try chainSeconds(kernel, launch, count: count)
      let long = try chainSeconds(kernel, launch, count: 3 * count)
      // What a launch of the graph itself takes is in both.
      return (long - short) / Double(2 * count)
    } catch { throw DeviceError(error.description) }
  }

  private func chainSeconds(
    _ kernel: Kernel, _ launch: KernelLaunch, count: Int
  ) throws(CUDAError) -> Double {
    var recorder = try GraphRecorder(gpu)
    var before: [GraphRecorder.Node] = []
    for _ in 0..<count {
      before = [
        try recorder.add(
          kernel, grid: (launch.grid.x, 1, 1), threads: launch.threads, sharedBytes: 0,
          clusterSize: 1, arguments: [], after: before)
      ]
    }
    let graph = try recorder.finish()
    let stream = try GPUStream(gpu)
    let began = try GPUEvent(gpu)
    let ended = try GPUEvent(gpu)
    var times: [Double] = []
    for _ in 0..<11 {
      try began.record(on: stream)
      try stream.launch(graph)
      try ended.record(on: stream)
      try ended.synchronize()
      times.append(try ended.seconds(since: began))
    }
    return times.sorted()[times.count / 2]
  }

  /// Runs a kernel that writes where no memory is. The process cannot use this GPU afterwards.
  ///
  /// - Returns: the error, as a user sees it where a kernel of ours fails; nil where none was reported.
  package func provokeFault() throws(DeviceError) -> String? {
    do throws(CUDAError) {
      let source = KernelSource(
        entry: "fault", body: "KERNEL(32) fault(int* place) { place[threadIdx.x] = 1; }\n")
      let launch = KernelLaunch(source, grid: GridSize(1), threads: 32, arguments: [])
      guard let kernel = try store.load([launch])[source] else {
        throw CUDAError(.driver, "the kernel was not loaded")
      }
      let stream = try GPUStream(gpu)
      do throws(CUDAError) {
        try stream.launch(
          kernel, grid: (1, 1, 1), threads: 32, sharedBytes: 0, arguments: [.address(64)])
        try stream.synchronize()
      } catch {
        guard error.kind == .kernelFault else { throw error }
        return error.description
      }
      return nil
    } catch { throw DeviceError(error.description) }
  }
}
