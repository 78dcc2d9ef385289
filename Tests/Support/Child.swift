public import Foundation
import Synchronization

/// A child process with its output kept, killed when this object goes.
public final class Child: @unchecked Sendable {
    // `@unchecked Sendable`: Process is used from one test at a time; the output sits behind a mutex.
    private let process = Process()
    private let output = Mutex<[UInt8]>([])
    private let errors = Mutex<[UInt8]>([])
    private let drained = DispatchGroup()

    /// Starts `executable`.
    ///
    /// - Parameter environment: all of the child's variables; nothing of this process's but PATH.
    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        folder: String? = nil
    ) throws {
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "LANG": "C.UTF-8"].merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = reader(into: \.output)
        process.standardError = reader(into: \.errors)
        try process.run()
    }

    deinit { if process.isRunning { kill(SIGKILL) } }

    private func reader(into place: KeyPath<Child, Mutex<[UInt8]>>) -> Pipe {
        let pipe = Pipe()
        drained.enter()
        let group = drained
        pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            guard !data.isEmpty else {
                handle.readabilityHandler = nil
                return group.leave()
            }
            self?[keyPath: place].withLock { $0.append(contentsOf: data) }
        }
        return pipe
    }

    public var processID: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }

    /// What it wrote to standard output so far.
    public var standardOutput: String { output.withLock { String(decoding: $0, as: UTF8.self) } }
    /// What it wrote to standard error so far.
    public var standardError: String { errors.withLock { String(decoding: $0, as: UTF8.self) } }

    public func kill(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

    /// Waits for its end and for the last of its output.
    ///
    /// - Returns: the exit code, or 128 and the signal's number.
    @discardableResult
    public func wait() -> Int32 {
        process.waitUntilExit()
        drained.wait()
        return process.terminationReason == .uncaughtSignal
            ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// Runs to the end.
    public static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        folder: String? = nil
    ) throws -> (code: Int32, output: String, errors: String) {
        let child = try Child(executable, arguments, environment: environment, folder: folder)
        let code = child.wait()
        return (code, child.standardOutput, child.standardError)
    }
}

/// Returns when `condition` holds; it is asked again every few milliseconds.
///
/// - Throws: `ConditionNeverHeld` after `seconds`.
public func eventually(
    _ what: String, within seconds: Double = 30, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard .now < deadline else { throw ConditionNeverHeld(what: what, seconds: seconds) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// What a test waited for did not come about.
public struct ConditionNeverHeld: Error, CustomStringConvertible {
    public var what: String
    public var seconds: Double
    public var description: String { "not within \(seconds) s: \(what)" }
}
