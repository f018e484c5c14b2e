import DeviceInterface
import KernelAutoTuning
import Needletail
import ProgramModel
import TensorModel
import Testing

/// What ResNet-50 must look like after the optimiser, whatever the machine.
@Suite struct ResNetTests {
  @Test func everythingBecomesAFewKernels() throws {
    var builder = Fixtures.builder
    builder.shapes = ["input": [1, 3, 224, 224]]
    let engine = try builder.buildNow(try Model(zoo: "resnet50", seed: 1))
    let context = try engine.makeContext()
    let program = try #require(context.tuned?.tuned.program)
    // 53 convolutions, a max pool, a mean and the classifier; four pairs share an input at most.
    #expect(program.steps.count <= 56)
    let executable = try #require(context.executable)
    #expect(executable.arenaBytes == executable.arenaLowerBound)
    #expect(executable.tactics.allSatisfy { $0.name != "reference" })
  }
}
