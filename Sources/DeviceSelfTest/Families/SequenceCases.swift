enum SequenceCases {
  static let families: [SelfTest.Family] = []
}
