package import GraphModel

/// Branches and loops.
package enum ControlOperators {
  package static let all: [any Operator.Type] = [
    IfOperator.self,
    LoopOperator.self,
    ScanOperator.self,
  ]
}
