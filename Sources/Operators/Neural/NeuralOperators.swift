package import GraphModel

/// Matrix products, normalisation, attention and recurrence.
package enum NeuralOperators {
  package static let all: [any Operator.Type] = [
    MatMulOperator.self,
    GemmOperator.self,
    EinsumOperator.self,
    BatchNormalizationOperator.self,
    GroupNormalizationOperator.self,
    LayerNormalizationOperator.self,
    SkipLayerNormalizationOperator.self,
    EmbedLayerNormalizationOperator.self,
    LpNormalizationOperator.self,
    MeanVarianceNormalizationOperator.self,
    LocalResponseNormalizationOperator.self,
    SoftmaxOperator.self,
    ClassificationLossOperator.self,
    AttentionOperator.self,
    RotaryEmbeddingOperator.self,
    RecurrentOperator.self,
    DFTOperator.self,
    STFTOperator.self,
    MelWeightMatrixOperator.self,
    CausalConvolutionOperator.self,
    LinearAttentionOperator.self,
    FlexAttentionOperator.self,
  ]
}
