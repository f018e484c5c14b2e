import Foundation
import Needletail
import Synchronization

/// One line on standard error that says what is done and how long the rest will take. Silent where
/// standard error is no terminal.
final class ProgressDisplay: Sendable {
  private let state = Mutex(State())
  private let isTerminal = isatty(STDERR_FILENO) == 1

  private struct State {
    var began = ContinuousClock.now
    var phase: BuildProgress.Phase?
    var lastShown: ContinuousClock.Instant?
  }

  func show(_ progress: BuildProgress) {
    guard isTerminal else { return }
    state.withLock { state in
      let now = ContinuousClock.now
      if state.phase != progress.phase {
        state.phase = progress.phase
        state.began = now
        state.lastShown = nil
      }
      if progress.phase == .finished {
        write("\r\u{1B}[K")
        return
      }
      if let last = state.lastShown, last.duration(to: now) < .milliseconds(50),
        progress.fraction < 1
      {
        return
      }
      state.lastShown = now
      write("\r\u{1B}[K\(line(progress, elapsed: state.began.duration(to: now).seconds))")
    }
  }

  /// Shows work that is not a build.
  func show(_ title: String, fraction: Double) {
    guard isTerminal else { return }
    write("\r\u{1B}[K\(title) \(Int((fraction * 100).rounded())) %")
    if fraction >= 1 { write("\r\u{1B}[K") }
  }

  private func line(_ progress: BuildProgress, elapsed: Double) -> String {
    let percent = Int((progress.fraction * 100).rounded())
    let filled = Int(progress.fraction * 24)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
    var text = "\(progress.phase.rawValue) [\(bar)] \(percent) %"
    if progress.fraction > 0.02, progress.fraction < 1 {
      let rest = elapsed / progress.fraction * (1 - progress.fraction)
      text += String(format: ", %.0f s left", rest.rounded(.up))
    }
    return text + "  \(progress.detail.prefix(40))"
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}

extension Duration {
  var seconds: Double {
    let (whole, attoseconds) = components
    return Double(whole) + Double(attoseconds) * 1e-18
  }
}
