package import DeviceInterface
import DeviceSelfTest
package import ProgramModel
package import TensorModel

extension CPU: StepRunner {
  package func run(
    _ tactic: Tactic, _ program: Program, memory: [TensorStorage]
  ) throws(DeviceError) {
    // Activations become the caller's tensors, so that the step works on the given memory itself.
    var bound = program
    var inputs: [UnsafeRawPointer] = []
    var outputs: [UnsafeMutableRawPointer] = []
    let written = Set(program.steps[0].outputs.map(\.buffer))
    for index in program.buffers.indices where program.buffers[index].isActivation {
      if written.contains(BufferID(index)) {
        bound.buffers[index].role = .output(outputs.count)
        outputs.append(memory[index].base)
      } else {
        bound.buffers[index].role = .input(inputs.count)
        inputs.append(UnsafeRawPointer(memory[index].base))
      }
    }
    let executable = try CPUExecutable(
      bound, device: self, tactics: [tactic], options: LoadOptions())
    let context = try executable.makeContext()
    var failure: DeviceError?
    inputs.withUnsafeBufferPointer { inputs in
      outputs.withUnsafeBufferPointer { outputs in
        do throws(DeviceError) { try context.run(inputs: inputs, outputs: outputs) } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
  }
}
