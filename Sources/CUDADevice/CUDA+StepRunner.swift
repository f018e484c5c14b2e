import CUDADriver
import CUDASource
package import DeviceInterface
import DeviceSelfTest
import DynamicTensorMemory
package import ProgramModel
package import TensorModel

extension CUDA: StepRunner {
  package func prepare(_ cases: [(tactic: Tactic, program: Program)]) throws(DeviceError) {
    var sources: Set<KernelSource> = []
    for (tactic, program) in cases {
      guard let plan = try? plan(tactic, program.steps[0], program) else { continue }
      sources.formUnion(plan.sources)
    }
    // One that does not compile fails when it is used.
    do { try store.compile(sources, stopsAtFailure: false) } catch {
      throw DeviceError(error.description)
    }
  }

  package func run(
    _ tactic: Tactic, _ program: Program, memory: [TensorStorage]
  ) throws(DeviceError) {
    do throws(CUDAError) {
      // Half of the cases from the last result to the first.
      let bytes = memory.reduce(0) { $0 + $1.byteCount }
      let executable = try CUDAExecutable(
        program, device: self, tactics: [tactic], options: LoadOptions(),
        goesBackward: bytes / 16 % 2 == 1)
      guard executable.plans[0] != nil else {
        throw CUDAError(.driver, "no kernel computes this step")
      }
      let stream = try GPUStream(gpu)
      let arena = try DeviceMemory(gpu, byteCount: executable.memory.arenaBytes)
      try stream.fill(arena.address, with: 0xFF, byteCount: arena.byteCount)
      let places = Places(executable, arena: arena.address, tensors: 0, tensorOffsets: [:])
      let active = program.buffers.indices.filter { program.buffers[$0].isActivation }
      for index in active {
        try stream.copy(
          from: UnsafeRawPointer(memory[index].base), to: try places.buffer(BufferID(index)),
          byteCount: program.buffers[index].byteCount)
      }
      let graph = try CUDAContext.graph(executable, [0], places)
      try stream.launch(graph)
      for index in active {
        try stream.copy(
          from: try places.buffer(BufferID(index)), to: memory[index].base,
          byteCount: program.buffers[index].byteCount)
      }
      try stream.synchronize()
    } catch { throw DeviceError(error.description, isDeclined: error.kind == .declined) }
  }
}
