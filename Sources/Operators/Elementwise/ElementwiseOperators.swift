package import GraphModel

/// Operators that compute each element of their result from one element of each operand.
package enum ElementwiseOperators {
  package static let all: [any Operator.Type] = [
    UnaryOperator.self,
    IsInf.self,
    Identity.self,
    ActivationOperator.self,
    Gelu.self,
    SwiGLU.self,
    PRelu.self,
    BinaryOperator.self,
    Equal.self,
    Pow.self,
    Mod.self,
    BitShift.self,
    VariadicOperator.self,
    Where.self,
    Clip.self,
    Cast.self,
    BitCast.self,
    Dropout.self,
    WindowFunction.self,
  ]
}
