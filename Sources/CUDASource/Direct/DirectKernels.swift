package enum DirectKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] { [] }
}
