package import GraphModel
/// Normalisation, matrix products, attention and recurrence.
package enum NeuralOperators {
  package static let all: [any Operator.Type] = []
}
