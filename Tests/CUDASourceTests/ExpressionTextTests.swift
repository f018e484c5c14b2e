import CUDASource
import KernelModel
import TensorModel
import Testing

/// Where expressions are rounded to 16 bits.
@Suite struct ExpressionTextTests {
  /// Storing rounds by itself; what is compared or added up before it is stored must be rounded in the text.
  @Test(arguments: [(DataType.float16, "half"), (.bfloat16, "bfloat")])
  func resultsAreRoundedOnce(type: DataType, name: String) throws {
    let sum = ScalarExpression.operand(0) + .operand(1)
    let rendered = try ScalarExpression.cast(sum, type).cudaText(
      operands: [OperandText("x", .float32), OperandText("y", .float32)])
    let rounding = "float_to_\(name)("
    #expect(!rendered.statements.joined().contains(rounding))
    #expect(!rendered.stored.contains(rounding))
    #expect(rendered.stored.hasPrefix("store<\(name)_t>("))
    #expect(rendered.value.contains(rounding))
    #expect(rendered.type == type)
  }
}
