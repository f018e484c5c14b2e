enum ReductionCases {
  static let families: [SelfTest.Family] = []
}
