package import GraphModel

/// Operators that move elements, or make them of shapes and positions.
package enum MovementOperators {
  package static let all: [any Operator.Type] = [
    ShapeOperator.self,
    Size.self,
    Constant.self,
    ConstantOfShape.self,
    Reshape.self,
    Flatten.self,
    Squeeze.self,
    Unsqueeze.self,
    SliceOperator.self,
    Transpose.self,
    Concat.self,
    Split.self,
    Expand.self,
    Tile.self,
    SpaceDepth.self,
    Pad.self,
    CenterCropPad.self,
    GatherOperator.self,
    ScatterOperator.self,
    TensorScatter.self,
    MaxUnpool.self,
    RangeOperator.self,
    EyeLike.self,
    Trilu.self,
    OneHot.self,
    CumulativeOperator.self,
    TopK.self,
    ReverseSequence.self,
    Col2Im.self,
    GridSample.self,
  ]
}
