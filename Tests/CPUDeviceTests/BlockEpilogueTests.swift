import CPUDevice
import CPUKernelInterface
import KernelModel
import ProgramModel
import ReferenceInterpreter
import TensorModel
import Testing

/// Epilogues that contractions call on blocks of their output.
@Suite struct BlockEpilogueTests {
  @Test func blocksInAnyOrder() throws {
    for seed in 0..<40 {
      for table in try StepCase.tables() { try check(seed, table) }
    }
  }

  private func check(_ seed: Int, _ table: CPUKernelTable) throws {
    var maker = CaseMaker(seed: seed)
    let shape = [2, maker.random.pick([1, 3, 5]), maker.random.pick([1, 4, 7]), 33]
    let values = try maker.tensor(.float32, shape)
    let expression = maker.expression(3, operands: 3) + .operand(0)
    // Inputs of a product with two operands of its own, which are not read here.
    var stepCase = StepCase(.pointwise(Pointwise(expression, shape: Shape(shape))))
    stepCase.inputs = [values]
    stepCase.orders = [nil]
    for _ in 0..<2 {
      let other = maker.broadcasting(shape)
      stepCase.inputs.append(try maker.tensor(.float32, other))
      stepCase.orders.append(maker.order(other.count))
    }
    stepCase.inPlace = 0
    stepCase.gap = maker.random.chance(50) ? 1 : 0
    let expected = try Interpreter.evaluate(stepCase.problem, stepCase.inputs)
    let bench = try StepBench(stepCase, expected: expected)
    var step = bench.step
    step.inputs[0] = nil
    let epilogue = try #require(
      BlockEpilogue(
        expression, step: step, own: 1, rowAxes: [0, 1, 2], columnAxis: 3,
        kernels: table.elementwise, place: { $0 }))
    let output = step.outputs[0]
    let base = bench.memory[output.buffer.index].base + output.byteOffset
    let operands = bench.step.inputs.compactMap { view in
      view.map { bench.memory[$0.buffer.index].base + $0.byteOffset }
    }
    let scratch = try #require(TensorStorage(byteCount: epilogue.hook.scratchBytes))
    // Blocks inside rows of equal distance: those of one image row.
    let width = shape[2]
    for image in 0..<shape[0] * shape[1] {
      for first in stride(from: 0, to: width, by: 2) {
        for column in stride(from: 0, to: 33, by: 16) {
          let offset =
            image / shape[1] * output.strides[0] + image % shape[1] * output.strides[1]
            + first * output.strides[2] + column
          epilogue.hook.function(
            epilogue.hook.context, operands, base + offset * 4, output.strides[2],
            base + offset * 4, output.strides[2], min(2, width - first), min(16, 33 - column),
            image * width + first, column, scratch.base)
        }
      }
    }
    let wanted = try expected[0].elements(as: Float.self)
    StepBench.forEach(output) { index, offset in
      let found = bench.memory[output.buffer.index].base.load(
        fromByteOffset: offset * 4, as: Float.self)
      #expect(abs(found - wanted[index]) <= 5e-6 * max(abs(wanted[index]), 1), "seed \(seed)")
    }
    withExtendedLifetime(epilogue) {}
  }

  @Test func refusesOperandsInTheOutput() throws {
    let shape = [4, 8]
    let view = View(
      dense: BufferID(0), dataType: .float32, shape: shape, order: [0, 1])
    let step = Step(
      name: "product", problem: .matmul(MatrixProduct(epilogue: .operand(0) * .operand(1))),
      inputs: [nil, nil, view], outputs: [view], origins: [])
    for table in try StepCase.tables() {
      let epilogue = BlockEpilogue(
        .operand(0) * .operand(1), step: step, own: 2, rowAxes: [0], columnAxis: 1,
        kernels: table.elementwise, place: { $0 })
      #expect(epilogue == nil)
    }
  }
}
