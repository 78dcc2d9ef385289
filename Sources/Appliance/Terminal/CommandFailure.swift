import Logging
import Vocabulary

/// How a command ends when it does not end well.
package struct CommandFailure: Error {
    package static let foundSomething: Int32 = 1
    package static let wrongUsage: Int32 = 2
    package static let cannotRun: Int32 = 3
    /// A start that fails each time until a person corrects the configuration: `EX_CONFIG` of
    /// sysexits.h, so that `systemctl status` says `78/CONFIG`. The unit does not start it again.
    package static let misconfigured: Int32 = 78

    package var exitCode: Int32
    /// One sentence that says what to do; nil when the command has printed it.
    package var message: String?
    /// Whether it is that nobody listens where the daemon should.
    package private(set) var isNoDaemon = false

    package init(exitCode: Int32, message: String?) {
        self.exitCode = exitCode
        self.message = message
    }

    /// The command could not do its work.
    package static func cannotRun(_ message: String) -> Self {
        CommandFailure(exitCode: cannotRun, message: message)
    }

    /// The same, of an error that says it in a sentence.
    package static func cannotRun(_ error: any Error) -> Self {
        cannotRun(ErrorWords.sentence(of: error))
    }

    /// Nobody listens where the daemon should.
    package static func noDaemon(_ message: String) -> Self {
        var failure = cannotRun(message)
        failure.isNoDaemon = true
        return failure
    }

    /// The command did its work and found something wrong.
    package static func foundSomething(_ message: String?) -> Self {
        CommandFailure(exitCode: foundSomething, message: message)
    }
}

/// Writes one line to standard error.
package func writeError(_ line: String) {
    LogSink.standardError.write(Journal.marked(Array((line + "\n").utf8), .error))
    LogSink.standardError.drain()
}

/// Turns a failure to start or to go on into exit code 3 with its sentence.
package func orCannotRun<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as CommandFailure {
        throw error
    } catch {
        throw CommandFailure.cannotRun(error)
    }
}
