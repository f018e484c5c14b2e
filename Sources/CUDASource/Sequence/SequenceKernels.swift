package enum SequenceKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] { [] }
}
