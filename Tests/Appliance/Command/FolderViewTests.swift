import AppendLog
import Terminal
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Relay
@testable import Vocabulary

/// What a command sees of a folder in which a daemon goes on.
@Suite("A folder that is looked at")
struct FolderViewTests {
    @Test("a target that has more than the log had at first is not ahead of it")
    func goesOn() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let topic = opened.plane.topics[.webhookReceived]
            func append(_ number: Int) async throws {
                _ = try await topic.append([
                    PipelineFixture.received("{\"n\":\(number)}", event: "evt_\(number)")
                ])
            }
            try await append(0)
            let source = try FolderView(path: fixture.path).relaySource()
            #expect(source[.webhookReceived].end == Offset(1))
            try await append(1)
            // As `bridge verify` does with what the bridge has copied meanwhile.
            try source.check(Offset(2), of: .webhookReceived, at: "kafka")
            try await append(2)
            #expect(try source.record(.webhookReceived, at: Offset(2)) != nil)
            // A log that was set back ends before it at each look.
            #expect(throws: RelayFailure.self) {
                try source.check(Offset(4), of: .webhookReceived, at: "kafka")
            }
        }
    }

    private struct Other: Error {}

    @Test("what keeps a command from a folder ends it with its sentence; another error stays one")
    func failures() throws {
        let failures: [any Error] = [
            StartRefusal(reason: "the log is another one"), LogError.closed, LedgerError.busy,
            StoreFailure.outOfSpace,
        ]
        for error in failures {
            let failure = try #require(CommandFailure.ofFolder(error) as? CommandFailure)
            #expect(failure.exitCode == 3 && failure.message == "\(error)")
        }
        #expect(CommandFailure.ofFolder(Other()) is Other)
        let own = CommandFailure(exitCode: 2, message: "who?")
        #expect((CommandFailure.ofFolder(own) as? CommandFailure)?.exitCode == 2)
    }
}
