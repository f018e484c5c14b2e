package import GraphModel

/// Operators that compute one element from whole axes.
package enum ReductionOperators {
  package static let all: [any Operator.Type] = [
    ReduceOperator.self,
    ArgumentOperator.self,
    Hardmax.self,
  ]
}
