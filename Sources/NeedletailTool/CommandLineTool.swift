import ArgumentParser

/// The command line: `needletail COMMAND`.
@main
struct CommandLineTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "needletail",
    abstract: "Makes fast inference engines out of trained networks, and runs them.",
    discussion: """
      A model is an ONNX file, a folder that holds one, or a name of the built-in zoo. An engine is a file \
      that 'needletail build' wrote; wherever a model is asked for, an engine does as well.

      Exit status: 0 done, 1 the job failed, 64 the command line is wrong.
      """,
    version: "0.1.0",
    subcommands: [
      BuildCommand.self, CalibrateCommand.self, RunCommand.self, BenchCommand.self,
      InspectCommand.self, CompareCommand.self, EvaluateCommand.self, ProfileCommand.self,
      SelfTestCommand.self, DevicesCommand.self, OperatorsCommand.self, ZooCommand.self,
    ])
}
