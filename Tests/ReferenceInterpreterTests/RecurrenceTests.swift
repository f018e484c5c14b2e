import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct RecurrenceTests {
  private let sigmoid = ScalarExpression.unary(.sigmoid, .operand(0))
  private let tanh = ScalarExpression.unary(.hyperbolicTangent, .operand(0))

  /// h' = x + h, with an identity for the activation.
  private func sums(_ direction: Recurrence.Direction) -> KernelProblem {
    let count = direction == .bidirectional ? 2 : 1
    return .recurrence(
      Recurrence(
        cell: .rnn, direction: direction, hiddenSize: 1,
        activations: [ScalarExpression](repeating: x0, count: count)))
  }

  @Test func runsInBothDirections() throws {
    let x = try floats([1, 2, 3], [3, 1, 1])
    let ones = try floats([1, 1], [2, 1, 1])
    let both = try Interpreter.evaluate(sums(.bidirectional), [x, ones, ones])
    expectEqual(both[0], [1, 6, 3, 5, 6, 3], shape: [3, 2, 1, 1])
    expectEqual(both[1], [6, 6], shape: [2, 1, 1])
  }

  @Test func stopsAtTheLengthOfEachSequence() throws {
    let x = try floats([1, 10, 2, 20, 3, 30], [3, 2, 1])
    let one = try floats([1], [1, 1, 1])
    let lengths = Tensor([Int32(2), 3]), initial = try floats([100, 0], [1, 2, 1])
    let forward = try Interpreter.evaluate(
      sums(.forward), [x, one, one, nil, lengths, initial])
    expectEqual(forward[0], [101, 10, 103, 30, 0, 60])
    expectEqual(forward[1], [103, 60])
    let reverse = try Interpreter.evaluate(
      sums(.reverse), [x, one, one, nil, lengths, initial])
    expectEqual(reverse[0], [103, 60, 102, 50, 0, 30])
    let wild = Tensor([Int32(-7), 99])
    let clamped = try Interpreter.evaluate(sums(.forward), [x, one, one, nil, wild])
    expectEqual(clamped[1], [0, 60])
  }

  @Test func clips() throws {
    let problem = Recurrence(
      cell: .rnn, direction: .forward, hiddenSize: 1, activations: [x0], clip: 2)
    let one = try floats([1], [1, 1, 1])
    let result = try Interpreter.evaluate(
      .recurrence(problem), [try floats([1.5, 1.5, -9], [3, 1, 1]), one, one])
    expectEqual(result[0], [1.5, 2, -2])
  }

  @Test func longShortTermMemory() throws {
    // Gates i, o, f, c see x through weights 0, 0, 0 and 1; h is not fed back.
    let problem = Recurrence(
      cell: .lstm, direction: .forward, hiddenSize: 1, activations: [sigmoid, tanh, tanh])
    let x = try floats([0, 0], [2, 1, 1])
    let w = try floats([0, 0, 0, 1], [1, 4, 1]), r = try floats([0, 0, 0, 0], [1, 4, 1])
    let cell = try floats([2], [1, 1, 1])
    let result = try Interpreter.evaluate(
      .recurrence(problem), [x, w, r, nil, nil, nil, cell])
    // c halves with each step; h = tanh(c) / 2.
    expectClose(result[2], [0.5])
    expectClose(result[0], [0.3807970780, 0.2310585786])
    // A peephole of the output gate sees the new cell.
    let peepholes = try floats([0, 100, 0], [1, 3])
    let open = try Interpreter.evaluate(
      .recurrence(problem), [x, w, r, nil, nil, nil, cell, peepholes])
    expectClose(open[0], [0.7615941560, 0.4621171573])
    var coupled = problem
    coupled.couplesInputAndForget = true
    let bias = try floats([50, 0, 0, 0, 0, 0, 0, 0], [1, 8])
    let forgetful = try Interpreter.evaluate(
      .recurrence(coupled), [x, w, r, bias, nil, nil, cell])
    expectClose(forgetful[2], [0])
  }

  @Test func gatedUnits() throws {
    // z is 1/2, the reset gate 1/2; the candidate is the state through r = 1, plus a bias of 1 in r.
    var problem = Recurrence(
      cell: .gru, direction: .forward, hiddenSize: 1, activations: [sigmoid, x0])
    let x = try floats([0], [1, 1, 1]), w = try floats([0, 0, 0], [1, 3, 1])
    let r = try floats([0, 0, 1], [1, 3, 1]), bias = try floats([0, 0, 0, 0, 0, 1], [1, 6])
    let state = try floats([4], [1, 1, 1])
    let before = try Interpreter.evaluate(
      .recurrence(problem), [x, w, r, bias, nil, state])
    expectClose(before[1], [(4.0 / 2 + 1) / 2 + 2])
    problem.resetsAfterLinear = true
    let after = try Interpreter.evaluate(
      .recurrence(problem), [x, w, r, bias, nil, state])
    expectClose(after[1], [(4.0 + 1) / 4 + 2])
  }
}
