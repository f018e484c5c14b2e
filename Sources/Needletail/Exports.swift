// Tensor, DataType, Limits and TensorError are part of the product's surface; everything else of that
// module has package access.
@_exported public import TensorModel
