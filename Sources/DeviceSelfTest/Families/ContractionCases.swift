enum ContractionCases {
  static let families: [SelfTest.Family] = []
}
