package enum HopperKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] { [] }
}
