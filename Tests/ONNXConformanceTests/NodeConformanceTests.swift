import Foundation
import Testing

/// ONNX's own tests of operators, run with the reference interpreter and by engines.
@Suite struct NodeConformanceTests {
  @Test(arguments: [NodeTest.Binding.concrete, .symbolicBatch, .engine])
  func everyNodeTestPassesOrIsListed(binding: NodeTest.Binding) throws {
    guard
      let shared = SharedData.directory(
        containing: "onnx/node-tests.tar.gz")
    else { return SharedData.reportSkip("onnx/node-tests.tar.gz") }
    let folder = try TemporaryFolder()
    try folder.unpack("\(shared)/onnx/node-tests.tar.gz")
    let tests = try NodeTest.all(in: "\(folder.path)/nodes")
    var passed = 0
    var refused = 0
    var different = 0
    for test in tests {
      let exception = KnownExceptions.exception(for: test.name, binding)
      let outcome = test.run(binding, comparison: exception?.comparison)
      switch (outcome, exception?.expectation ?? .passes) {
      case (.passed, .passes): passed += 1
      case (.refused, .isRefused): refused += 1
      case (.failed, .differs): different += 1
      case (.passed, _): Issue.record("\(test.name) passes and is listed as an exception")
      case (.refused(let reason), _): Issue.record("\(test.name) is refused: \(reason)")
      case (.failed(let reason), _): Issue.record("\(test.name) fails: \(reason)")
      }
    }
    #expect(KnownExceptions.unknownNames(among: tests.map(\.name)).isEmpty)
    print(
      "ONNX node tests, \(binding) types: \(passed) passed, \(refused) refused, "
        + "\(different) listed as different")
  }
}

/// Real models, against the outputs of another implementation.
@Suite struct StoredModelTests {
  @Test(arguments: [NodeTest.Binding.declared, .concrete])
  func modelsGiveTheStoredOutputs(binding: NodeTest.Binding) throws {
    guard let shared = SharedData.directory(containing: "models") else {
      return SharedData.reportSkip("models")
    }
    for model in try StoredModel.all(in: "\(shared)/models") {
      for output in try model.run(binding) {
        let comparison = TensorComparison(rtol: 1e-3, atol: 1e-4)
        let difference = comparison.difference(output.actual, output.expected)
        #expect(difference == nil, "\(model.name), output '\(output.name)'")
      }
    }
  }
}
