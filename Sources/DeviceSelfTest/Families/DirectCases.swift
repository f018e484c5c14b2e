enum DirectCases {
  static let families: [SelfTest.Family] = []
}
