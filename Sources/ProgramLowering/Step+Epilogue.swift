import KernelModel
import ProgramModel
import TensorModel

extension Step {
  /// The types of operands; nil where one is absent.
  func types(of operands: ArraySlice<View?>) -> [DataType]? {
    let types = operands.compactMap { $0?.dataType }
    return types.count == operands.count ? types : nil
  }

  /// The types that the epilogue's operands have: first that of the factors, whose sums are operand 0.
  var epilogueTypes: [DataType]? {
    guard let own = problem.ownOperandCount, own <= inputs.count,
      let first = inputs.first??.dataType,
      let added = types(of: inputs[own...])
    else { return nil }
    return [first] + added
  }

  /// The epilogue in single precision; nil where there is none.
  var singleEpilogue: ScalarExpression? {
    guard let epilogue = problem.epilogue, let types = epilogueTypes, let output = outputs.first
    else {
      return nil
    }
    // Results of reductions have types of their own.
    if case .reduction = problem { return epilogue }
    return epilogue.inSingle(types, result: output.dataType)
  }
}
