import TensorModel

/// A convolution is written without the members that only integers have, unless it has them.
extension Convolution: Codable {
  private enum Key: String, CodingKey {
    case strides, dilations, padsBefore, padsAfter, groups, isTransposed, outputPadding, padValue
    case epilogue
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(strides, forKey: .strides)
    try container.encode(dilations, forKey: .dilations)
    try container.encode(padsBefore, forKey: .padsBefore)
    try container.encode(padsAfter, forKey: .padsAfter)
    try container.encode(groups, forKey: .groups)
    try container.encode(isTransposed, forKey: .isTransposed)
    try container.encode(outputPadding, forKey: .outputPadding)
    if padValue != 0 { try container.encode(padValue, forKey: .padValue) }
    try container.encode(epilogue, forKey: .epilogue)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      strides: try container.decode([Int].self, forKey: .strides),
      dilations: try container.decode([Int].self, forKey: .dilations),
      padsBefore: try container.decode([Dimension].self, forKey: .padsBefore),
      padsAfter: try container.decode([Dimension].self, forKey: .padsAfter),
      groups: try container.decode(Int.self, forKey: .groups),
      isTransposed: try container.decode(Bool.self, forKey: .isTransposed),
      outputPadding: try container.decode([Int].self, forKey: .outputPadding),
      padValue: try container.decodeIfPresent(Int.self, forKey: .padValue) ?? 0,
      epilogue: try container.decode(ScalarExpression.self, forKey: .epilogue))
  }
}
