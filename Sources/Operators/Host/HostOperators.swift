package import GraphModel

/// Operators that only the host computes: their results have shapes that depend on data, or they are too
/// rare for a kernel.
package enum HostOperators {
  package static let all: [any Operator.Type] = [
    NonZero.self,
    Compress.self,
    Unique.self,
    NonMaxSuppression.self,
    RandomOperator.self,
    Bernoulli.self,
    Multinomial.self,
    Determinant.self,
    RoiAlign.self,
    StringConcat.self,
    StringSplit.self,
    StringNormalizer.self,
    RegexFullMatch.self,
  ]
}
