enum MovementCases {
  static let families: [SelfTest.Family] = []
}
