import DynamicLibraries

/// The functions of the driver that are used, by our own declarations.
///
/// Source: CUDA Driver API reference, version 12.0 and up.
struct DriverFunctions: Sendable {
  typealias Status = Int32
  typealias Pointer = UnsafeMutableRawPointer
  typealias Out<T> = UnsafeMutablePointer<T>

  let initialize: @convention(c) (UInt32) -> Status
  let driverVersion: @convention(c) (Out<Int32>) -> Status
  let errorName: @convention(c) (Status, Out<UnsafePointer<CChar>?>) -> Status
  let errorText: @convention(c) (Status, Out<UnsafePointer<CChar>?>) -> Status

  let deviceCount: @convention(c) (Out<Int32>) -> Status
  let device: @convention(c) (Out<Int32>, Int32) -> Status
  let deviceName: @convention(c) (Out<CChar>, Int32, Int32) -> Status
  let deviceAttribute: @convention(c) (Out<Int32>, Int32, Int32) -> Status
  let deviceMemory: @convention(c) (Out<Int>, Int32) -> Status
  let retainContext: @convention(c) (Out<Pointer?>, Int32) -> Status
  let setContext: @convention(c) (Pointer?) -> Status

  let memoryInfo: @convention(c) (Out<Int>, Out<Int>) -> Status
  let pointerAttributes:
    @convention(c) (UInt32, UnsafePointer<Int32>, UnsafePointer<Pointer?>, UInt64) -> Status
  let allocate: @convention(c) (Out<UInt64>, Int) -> Status
  let free: @convention(c) (UInt64) -> Status
  let allocateHost: @convention(c) (Out<Pointer?>, Int, UInt32) -> Status
  let freeHost: @convention(c) (Pointer?) -> Status
  let copyToDevice: @convention(c) (UInt64, UnsafeRawPointer, Int, Pointer?) -> Status
  let copyToHost: @convention(c) (Pointer, UInt64, Int, Pointer?) -> Status
  let copyOnDevice: @convention(c) (UInt64, UInt64, Int, Pointer?) -> Status
  let fill: @convention(c) (UInt64, UInt8, Int, Pointer?) -> Status

  let createStream: @convention(c) (Out<Pointer?>, UInt32) -> Status
  let destroyStream: @convention(c) (Pointer?) -> Status
  let synchronizeStream: @convention(c) (Pointer?) -> Status
  let beginCapture: @convention(c) (Pointer?, Int32) -> Status
  let endCapture: @convention(c) (Pointer?, Out<Pointer?>) -> Status
  let createEvent: @convention(c) (Out<Pointer?>, UInt32) -> Status
  let destroyEvent: @convention(c) (Pointer?) -> Status
  let recordEvent: @convention(c) (Pointer?, Pointer?) -> Status
  let synchronizeEvent: @convention(c) (Pointer?) -> Status
  let elapsed: @convention(c) (Out<Float>, Pointer?, Pointer?) -> Status

  let loadModule: @convention(c) (Out<Pointer?>, UnsafeRawPointer) -> Status
  let unloadModule: @convention(c) (Pointer?) -> Status
  let function: @convention(c) (Out<Pointer?>, Pointer?, UnsafePointer<CChar>) -> Status
  let setFunctionAttribute: @convention(c) (Pointer?, Int32, Int32) -> Status
  let launch:
    @convention(c) (
      UnsafeRawPointer, Pointer?, UnsafeMutablePointer<Pointer?>?, UnsafeMutablePointer<Pointer?>?
    ) -> Status

  let createGraph: @convention(c) (Out<Pointer?>, UInt32) -> Status
  let destroyGraph: @convention(c) (Pointer?) -> Status
  let addKernelNode:
    @convention(c) (
      Out<Pointer?>, Pointer?, UnsafePointer<Pointer?>?, Int, UnsafeRawPointer
    ) -> Status
  let addFillNode:
    @convention(c) (
      Out<Pointer?>, Pointer?, UnsafePointer<Pointer?>?, Int, UnsafeRawPointer,
      Pointer?
    ) -> Status
  let addChildNode:
    @convention(c) (Out<Pointer?>, Pointer?, UnsafePointer<Pointer?>?, Int, Pointer?) -> Status
  let instantiateGraph: @convention(c) (Out<Pointer?>, Pointer?, UInt64) -> Status
  let destroyExecutableGraph: @convention(c) (Pointer?) -> Status
  let launchGraph: @convention(c) (Pointer?, Pointer?) -> Status
  let setKernelNodeAttribute: @convention(c) (Pointer?, Int32, UnsafeRawPointer) -> Status
  let setExecutableKernelNode: @convention(c) (Pointer?, Pointer?, UnsafeRawPointer) -> Status

  /// Drivers before CUDA 12.3 have none.
  let addDependencies:
    (
      @convention(c) (
        Pointer?, UnsafePointer<Pointer?>?, UnsafePointer<Pointer?>?, UnsafeRawPointer?, Int
      ) -> Status
    )?
  let encodeTiled:
    @convention(c) (
      UnsafeMutableRawPointer, Int32, UInt32, UInt64, UnsafePointer<UInt64>,
      UnsafePointer<UInt64>, UnsafePointer<UInt32>, UnsafePointer<UInt32>, Int32, Int32, Int32,
      Int32
    ) -> Status
  let encodeIm2col:
    @convention(c) (
      UnsafeMutableRawPointer, Int32, UInt32, UInt64, UnsafePointer<UInt64>,
      UnsafePointer<UInt64>, UnsafePointer<Int32>, UnsafePointer<Int32>, UInt32, UInt32,
      UnsafePointer<UInt32>, Int32, Int32, Int32, Int32
    ) -> Status

  init(_ library: DynamicLibrary) throws(CUDAError) {
    addDependencies = try? library.function("cuGraphAddDependencies_v2")
    encodeTiled = try library.function("cuTensorMapEncodeTiled")
    encodeIm2col = try library.function("cuTensorMapEncodeIm2col")
    initialize = try library.function("cuInit")
    driverVersion = try library.function("cuDriverGetVersion")
    errorName = try library.function("cuGetErrorName")
    errorText = try library.function("cuGetErrorString")
    deviceCount = try library.function("cuDeviceGetCount")
    device = try library.function("cuDeviceGet")
    deviceName = try library.function("cuDeviceGetName")
    deviceAttribute = try library.function("cuDeviceGetAttribute")
    deviceMemory = try library.function("cuDeviceTotalMem_v2")
    retainContext = try library.function("cuDevicePrimaryCtxRetain")
    setContext = try library.function("cuCtxSetCurrent")
    memoryInfo = try library.function("cuMemGetInfo_v2")
    pointerAttributes = try library.function("cuPointerGetAttributes")
    allocate = try library.function("cuMemAlloc_v2")
    free = try library.function("cuMemFree_v2")
    allocateHost = try library.function("cuMemHostAlloc")
    freeHost = try library.function("cuMemFreeHost")
    copyToDevice = try library.function("cuMemcpyHtoDAsync_v2")
    copyToHost = try library.function("cuMemcpyDtoHAsync_v2")
    copyOnDevice = try library.function("cuMemcpyDtoDAsync_v2")
    fill = try library.function("cuMemsetD8Async")
    createStream = try library.function("cuStreamCreate")
    destroyStream = try library.function("cuStreamDestroy_v2")
    synchronizeStream = try library.function("cuStreamSynchronize")
    beginCapture = try library.function("cuStreamBeginCapture_v2")
    endCapture = try library.function("cuStreamEndCapture")
    createEvent = try library.function("cuEventCreate")
    destroyEvent = try library.function("cuEventDestroy_v2")
    recordEvent = try library.function("cuEventRecord")
    synchronizeEvent = try library.function("cuEventSynchronize")
    elapsed = try library.function("cuEventElapsedTime")
    loadModule = try library.function("cuModuleLoadData")
    unloadModule = try library.function("cuModuleUnload")
    function = try library.function("cuModuleGetFunction")
    setFunctionAttribute = try library.function("cuFuncSetAttribute")
    launch = try library.function("cuLaunchKernelEx")
    createGraph = try library.function("cuGraphCreate")
    destroyGraph = try library.function("cuGraphDestroy")
    addKernelNode = try library.function("cuGraphAddKernelNode_v2")
    addFillNode = try library.function("cuGraphAddMemsetNode")
    addChildNode = try library.function("cuGraphAddChildGraphNode")
    instantiateGraph = try library.function("cuGraphInstantiateWithFlags")
    destroyExecutableGraph = try library.function("cuGraphExecDestroy")
    launchGraph = try library.function("cuGraphLaunch")
    setKernelNodeAttribute = try library.function("cuGraphKernelNodeSetAttribute")
    setExecutableKernelNode = try library.function("cuGraphExecKernelNodeSetParams_v2")
  }
}

/// CUDA_KERNEL_NODE_PARAMS_v2.
struct KernelNodeParameters {
  var function: UnsafeMutableRawPointer?
  var gridX: UInt32
  var gridY: UInt32
  var gridZ: UInt32
  var blockX: UInt32
  var blockY: UInt32 = 1
  var blockZ: UInt32 = 1
  var sharedBytes: UInt32
  var arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  var extra: UnsafeMutableRawPointer?
  var kernel: UnsafeMutableRawPointer?
  var context: UnsafeMutableRawPointer?
}

/// CUlaunchConfig.
struct LaunchConfiguration {
  var gridX: UInt32
  var gridY: UInt32
  var gridZ: UInt32
  var blockX: UInt32
  var blockY: UInt32 = 1
  var blockZ: UInt32 = 1
  var sharedBytes: UInt32
  var stream: UnsafeMutableRawPointer?
  var attributes: UnsafeRawPointer?
  var attributeCount: UInt32
}

/// CUlaunchAttribute for clusters.
struct ClusterAttribute {
  /// CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION.
  static let kind: Int32 = 4

  var kind = ClusterAttribute.kind
  var padding: UInt32 = 0
  var size: ClusterSize
}

/// CUlaunchAttributeValue, a union of 64 bytes, with the blocks of a cluster along each axis.
struct ClusterSize {
  var x: UInt32
  var y: UInt32 = 1
  var z: UInt32 = 1
  var padding: UInt32 = 0
  var rest: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)

  init(_ blocks: Int) { x = UInt32(blocks) }
}

/// CUDA_MEMSET_NODE_PARAMS.
struct FillNodeParameters {
  var target: UInt64
  var pitch: Int = 0
  var value: UInt32 = 0
  var elementBytes: UInt32 = 4
  var width: Int
  var height: Int = 1
}
