package enum ContractionKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] { [] }
}
