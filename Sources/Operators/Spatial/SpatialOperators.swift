package import GraphModel
/// Convolutions, pooling, resampling and their quantised forms.
package enum SpatialOperators {
  package static let all: [any Operator.Type] = []
}
