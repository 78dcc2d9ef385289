import Dispatch
package import Logging
import Synchronization

/// Warnings that anybody outside can cause: a few a second of each kind, then the number of those
/// that were left out, so that a flood neither hides the other kinds nor fills a disk.
package final class RationedLog: Sendable {
    /// Lines of one kind in one second.
    package static let linesPerSecond = 2
    /// Kinds told apart; all further ones share a ration.
    private static let kindCountMax = 64
    /// Characters of one value: what a stranger sends must not make lines of any length.
    package static let valueCharactersMax = 200

    private let logger: Logger
    private let now: @Sendable () -> ContinuousClock.Instant
    private let afterASecond: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let rations = Mutex<[String: Ration]>([:])

    /// - Parameters:
    ///   - now: the monotonic clock.
    ///   - afterASecond: calls a second later, for the number of what was left out last.
    package init(
        logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        afterASecond: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void = {
            DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + 1, execute: $0)
        }
    ) {
        self.logger = logger
        self.now = now
        self.afterASecond = afterASecond
    }

    /// Logs the line, or counts it as left out.
    ///
    /// - Parameter kind: a stable word; each has a ration of its own.
    package func warning(
        _ message: Logger.Message, kind: String,
        _ metadata: @autoclosure () -> KeyValuePairs<String, String> = [:]
    ) {
        let (kind, decision) = rations.withLock { rations in
            let kind = rations[kind] != nil || rations.count < Self.kindCountMax ? kind : "other"
            return (kind, rations[kind, default: Ration()].decide(at: now()))
        }
        switch decision {
        case .write(let leftOut):
            write(message, kind, metadata(), leftOut)
        case .leaveOut(let isFirst):
            if isFirst { afterASecond { self.report(message, kind) } }
        }
    }

    /// What was left out and no later line has told.
    private func report(_ message: Logger.Message, _ kind: String) {
        let leftOut = rations.withLock { $0[kind]?.takeLeftOut() ?? 0 }
        if leftOut > 0 { write(message, kind, [:], leftOut) }
    }

    private func write(
        _ message: Logger.Message, _ kind: String, _ pairs: KeyValuePairs<String, String>,
        _ leftOut: Int
    ) {
        var metadata: Logger.Metadata = ["kind": "\(kind)"]
        for (key, value) in pairs { metadata[key] = "\(Self.printable(value))" }
        if leftOut > 0 { metadata["left_out"] = "\(leftOut)" }
        logger.warning(message, metadata: metadata)
    }

    /// One line, of bounded length, without what steers a terminal.
    package static func printable(
        _ text: String, charactersMax: Int = valueCharactersMax
    ) -> String {
        let isLong = text.count > charactersMax
        let cleaned = text.prefix(charactersMax).unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format
                || scalar.properties.generalCategory == .lineSeparator
                || scalar.properties.generalCategory == .paragraphSeparator ? "\u{FFFD}" : scalar
        }
        return String(String.UnicodeScalarView(cleaned)) + (isLong ? "…" : "")
    }
}

/// How many lines of one kind this second has left.
private struct Ration {
    enum Decision {
        case write(leftOut: Int)
        case leaveOut(isFirst: Bool)
    }

    private var second: ContinuousClock.Instant?
    private var lineCount = 0
    private var leftOut = 0

    mutating func decide(at now: ContinuousClock.Instant) -> Decision {
        if let second, now - second < .seconds(1) {} else { (second, lineCount) = (now, 0) }
        guard lineCount < RationedLog.linesPerSecond else {
            leftOut += 1
            return .leaveOut(isFirst: leftOut == 1)
        }
        lineCount += 1
        return .write(leftOut: takeLeftOut())
    }

    mutating func takeLeftOut() -> Int {
        defer { leftOut = 0 }
        return leftOut
    }
}
