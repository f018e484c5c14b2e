/// Lists kernels with their dependencies, to be launched together any number of times.
package struct GraphRecorder: ~Copyable {
  /// Names a node of the graph that is recorded.
  package struct Node: Hashable, Sendable {
    fileprivate let handle: Handle
    fileprivate let isKernel: Bool
  }

  private let gpu: GPU
  private let graph: Handle
  private var kernels: [Kernel] = []

  package init(_ gpu: GPU) throws(CUDAError) {
    self.gpu = gpu
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    try gpu.check(gpu.driver.functions.createGraph(&pointer, 0), "cuGraphCreate")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no graph") }
    graph = Handle(pointer)
  }

  deinit { _ = gpu.driver.functions.destroyGraph(graph.pointer) }

  package mutating func add(
    _ kernel: Kernel, grid: (Int, Int, Int), threads: Int, sharedBytes: Int, clusterSize: Int,
    arguments: [KernelValue], beginsEarly: Bool = false, after predecessors: [Node]
  ) throws(CUDAError) -> Node {
    // Only a kernel that waits for one kernel alone can begin before that one has ended.
    let isEarly =
      beginsEarly && predecessors.count == 1 && predecessors[0].isKernel
      && gpu.driver.functions.addDependencies != nil && gpu.overlapsKernels
    let before = isEarly ? [] : predecessors.map { Optional($0.handle.pointer) }
    var node: UnsafeMutableRawPointer?
    let status = KernelArguments.withPointers(arguments) { pointers in
      var parameters = KernelNodeParameters(
        function: kernel.handle.pointer, gridX: UInt32(grid.0), gridY: UInt32(grid.1),
        gridZ: UInt32(grid.2), blockX: UInt32(threads), sharedBytes: UInt32(sharedBytes),
        arguments: pointers)
      return gpu.driver.functions.addKernelNode(
        &node, graph.pointer, before, before.count, &parameters)
    }
    try gpu.check(status, "kernel '\(kernel.name)' in a graph")
    guard let node else { throw CUDAError(.driver, "the driver gave no graph node") }
    if clusterSize > 1 {
      let status = withUnsafePointer(to: ClusterSize(clusterSize)) {
        gpu.driver.functions.setKernelNodeAttribute(node, ClusterAttribute.kind, $0)
      }
      try gpu.check(status, "cluster of '\(kernel.name)'")
    }
    if isEarly { try addEarlyEdge(from: predecessors[0].handle.pointer, to: node) }
    kernels.append(kernel)
    return Node(handle: Handle(node), isKernel: true)
  }

  /// An edge that is satisfied when the first kernel lets its dependents begin, or ends.
  private func addEarlyEdge(
    from: UnsafeMutableRawPointer, to: UnsafeMutableRawPointer
  ) throws(CUDAError) {
    guard let add = gpu.driver.functions.addDependencies else { return }
    // CUgraphEdgeData: from port 1 (programmatic), to port 0, type 1 (programmatic), five reserved bytes.
    let data: [UInt8] = [1, 0, 1, 0, 0, 0, 0, 0]
    let source: UnsafeMutableRawPointer? = from
    let target: UnsafeMutableRawPointer? = to
    let status = withUnsafePointer(to: source) { source in
      withUnsafePointer(to: target) { target in add(graph.pointer, source, target, data, 1) }
    }
    try gpu.check(status, "cuGraphAddDependencies")
  }

  /// Fills memory with zeros.
  package mutating func addZeros(
    at address: UInt64, byteCount: Int, after predecessors: [Node]
  ) throws(CUDAError) -> Node {
    let before = predecessors.map { Optional($0.handle.pointer) }
    var node: UnsafeMutableRawPointer?
    var parameters = FillNodeParameters(target: address, elementBytes: 1, width: byteCount)
    try gpu.check(
      gpu.driver.functions.addFillNode(
        &node, graph.pointer, before, before.count, &parameters, gpu.context.pointer),
      "cuGraphAddMemsetNode")
    guard let node else { throw CUDAError(.driver, "the driver gave no graph node") }
    return Node(handle: Handle(node), isKernel: false)
  }

  /// Adds what a library puts into a stream.
  package mutating func addCapture(
    after predecessors: [Node], _ enqueue: (GPUStream) throws(CUDAError) -> Void
  ) throws(CUDAError) -> Node {
    let stream = try GPUStream(gpu)
    // CU_STREAM_CAPTURE_MODE_RELAXED: the library may load kernels meanwhile.
    try gpu.check(
      gpu.driver.functions.beginCapture(stream.handle.pointer, 2), "cuStreamBeginCapture")
    var failure: CUDAError?
    do throws(CUDAError) { try enqueue(stream) } catch { failure = error }
    var captured: UnsafeMutableRawPointer?
    let status = gpu.driver.functions.endCapture(stream.handle.pointer, &captured)
    defer { if let captured { _ = gpu.driver.functions.destroyGraph(captured) } }
    if let failure { throw failure }
    try gpu.check(status, "cuStreamEndCapture")
    let before = predecessors.map { Optional($0.handle.pointer) }
    var node: UnsafeMutableRawPointer?
    try gpu.check(
      gpu.driver.functions.addChildNode(&node, graph.pointer, before, before.count, captured),
      "cuGraphAddChildGraphNode")
    guard let node else { throw CUDAError(.driver, "the driver gave no graph node") }
    return Node(handle: Handle(node), isKernel: false)
  }

  package consuming func finish() throws(CUDAError) -> ExecutableGraph {
    var pointer: UnsafeMutableRawPointer?
    try gpu.check(
      gpu.driver.functions.instantiateGraph(&pointer, graph.pointer, 0), "cuGraphInstantiate")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no executable graph") }
    return ExecutableGraph(gpu: gpu, handle: Handle(pointer), kernels: kernels)
  }
}

/// A graph ready to launch; it keeps its kernels loaded.
package final class ExecutableGraph: Sendable {
  let handle: Handle
  private let gpu: GPU
  private let kernels: [Kernel]

  fileprivate init(gpu: GPU, handle: Handle, kernels: [Kernel]) {
    self.gpu = gpu
    self.handle = handle
    self.kernels = kernels
  }

  /// Kernels of one launch.
  package var kernelCount: Int { kernels.count }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.destroyExecutableGraph(handle.pointer)
  }
}
