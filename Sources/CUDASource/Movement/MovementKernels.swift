package enum MovementKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] { [] }
}
