package import GraphModel

/// Convolutions, pooling and resampling, and what works on quantised numbers.
package enum SpatialOperators {
  package static let all: [any Operator.Type] = [
    ConvOperator.self,
    ConvTransposeOperator.self,
    DeformableConvolutionOperator.self,
    PoolOperator.self,
    GlobalPoolOperator.self,
    ResizeOperator.self,
    AffineGridOperator.self,
    QuantizeLinearOperator.self,
    DequantizeLinearOperator.self,
    DynamicQuantizeLinearOperator.self,
    QuantizedConvOperator.self,
    QuantizedMatMulOperator.self,
    QuantizedFormulaOperator.self,
    QuantizedPoolOperator.self,
    QuantizedConcatOperator.self,
    QuantizedSoftmaxOperator.self,
  ]
}
